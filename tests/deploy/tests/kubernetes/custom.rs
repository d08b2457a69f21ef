//! The custom resources that we write, as far as we use them: whatever is not here is refused.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// An object of the API.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Object<S> {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: S,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Selector {
    match_labels: BTreeMap<String, String>,
}

// ---- KEDA ------------------------------------------------------------------------------------------------------------

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ScaledObject {
    scale_target_ref: Named,
    polling_interval: u32,
    min_replica_count: u32,
    max_replica_count: u32,
    fallback: Fallback,
    advanced: Advanced,
    triggers: Vec<Trigger>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fallback {
    failure_threshold: u32,
    replicas: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Advanced {
    horizontal_pod_autoscaler_config: AutoscalerConfig,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AutoscalerConfig {
    behavior: k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerBehavior,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Trigger {
    r#type: TriggerKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric_type: Option<MetricKind>,
    metadata: BTreeMap<TriggerMember, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication_ref: Option<Named>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TriggerKind {
    Rabbitmq,
    Prometheus,
}

#[derive(Debug, Serialize, Deserialize)]
enum MetricKind {
    AverageValue,
    Value,
}

/// What a trigger's metadata may say; KEDA takes anything and passes over what it does not know.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
enum TriggerMember {
    QueueName,
    Mode,
    Value,
    ExcludeUnacknowledged,
    ServerAddress,
    Query,
    Threshold,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TriggerAuthentication {
    secret_target_ref: Vec<SecretParameter>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretParameter {
    parameter: String,
    name: String,
    key: String,
}

// ---- Prometheus operator ---------------------------------------------------------------------------------------------

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PodMonitor {
    selector: Selector,
    pod_metrics_endpoints: Vec<Endpoint>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Endpoint {
    port: String,
    path: String,
    interval: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<Scheme>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_config: Option<EndpointTls>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scheme {
    Http,
    Https,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EndpointTls {
    server_name: String,
    ca: Authority,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Authority {
    secret: KeyOf,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrometheusRule {
    groups: Vec<RuleGroup>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleGroup {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<String>,
    rules: Vec<Rule>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<String>,
    expr: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#for: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_firing_for: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

// ---- Secrets Store CSI driver ----------------------------------------------------------------------------------------

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretProviderClass {
    provider: String,
    parameters: BTreeMap<String, String>,
}

// ---- RabbitMQ Cluster Operator ---------------------------------------------------------------------------------------

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RabbitmqCluster {
    image: String,
    replicas: u32,
    termination_grace_period_seconds: u32,
    persistence: Persistence,
    resources: k8s_openapi::api::core::v1::ResourceRequirements,
    tls: Tls,
    affinity: k8s_openapi::api::core::v1::Affinity,
    rabbitmq: Rabbitmq,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Persistence {
    storage: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Tls {
    secret_name: String,
    ca_secret_name: String,
    // As the operator spells it.
    #[serde(rename = "disableNonTLSListeners")]
    disable_non_tls_listeners: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rabbitmq {
    additional_plugins: Vec<String>,
    additional_config: String,
}

// ---- CloudNativePG ---------------------------------------------------------------------------------------------------

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Cluster {
    image_name: String,
    instances: u32,
    primary_update_strategy: String,
    bootstrap: Bootstrap,
    managed: Managed,
    postgresql: Postgresql,
    certificates: Certificates,
    storage: Storage,
    wal_storage: Storage,
    resources: k8s_openapi::api::core::v1::ResourceRequirements,
    affinity: ClusterAffinity,
    plugins: Vec<Plugin>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bootstrap {
    initdb: Initdb,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Initdb {
    database: String,
    owner: String,
    secret: Named,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Managed {
    roles: Vec<Role>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Role {
    name: String,
    ensure: String,
    login: bool,
    connection_limit: i64,
    password_secret: Named,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Postgresql {
    synchronous: Synchronous,
    parameters: BTreeMap<String, String>,
    pg_hba: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Synchronous {
    method: String,
    number: u32,
    data_durability: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Certificates {
    #[serde(rename = "serverTLSSecret")]
    server_tls_secret: String,
    #[serde(rename = "serverCASecret")]
    server_ca_secret: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Storage {
    size: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClusterAffinity {
    enable_pod_anti_affinity: bool,
    pod_anti_affinity_type: String,
    topology_key: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Plugin {
    name: String,
    #[serde(rename = "isWALArchiver", skip_serializing_if = "Option::is_none")]
    is_wal_archiver: Option<bool>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    parameters: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ScheduledBackup {
    schedule: String,
    backup_owner_reference: String,
    cluster: Named,
    method: String,
    plugin_configuration: Named,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ObjectStore {
    retention_policy: String,
    configuration: ObjectStoreConfiguration,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ObjectStoreConfiguration {
    destination_path: String,
    #[serde(rename = "endpointURL")]
    endpoint_url: String,
    s3_credentials: S3Credentials,
    wal: Compression,
    data: Compression,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct S3Credentials {
    access_key_id: KeyOf,
    secret_access_key: KeyOf,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyOf {
    name: String,
    key: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Compression {
    compression: String,
}

fn of<S: DeserializeOwned + Serialize>(object: &Value) -> Result<Value, String> {
    let read: Object<S> =
        serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    serde_json::to_value(&read).map_err(|error| error.to_string())
}

/// Reads one of these and writes it again; `None` where we have none of the kind.
pub(crate) fn through(group: &str, kind: &str, object: &Value) -> Option<Result<Value, String>> {
    Some(match (group, kind) {
        ("keda.sh/v1alpha1", "ScaledObject") => of::<ScaledObject>(object),
        ("keda.sh/v1alpha1", "TriggerAuthentication") => of::<TriggerAuthentication>(object),
        ("monitoring.coreos.com/v1", "PodMonitor") => of::<PodMonitor>(object),
        ("monitoring.coreos.com/v1", "PrometheusRule") => of::<PrometheusRule>(object),
        ("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass") => {
            of::<SecretProviderClass>(object)
        }
        ("rabbitmq.com/v1beta1", "RabbitmqCluster") => of::<RabbitmqCluster>(object),
        ("postgresql.cnpg.io/v1", "Cluster") => of::<Cluster>(object),
        ("postgresql.cnpg.io/v1", "ScheduledBackup") => of::<ScheduledBackup>(object),
        ("barmancloud.cnpg.io/v1", "ObjectStore") => of::<ObjectStore>(object),
        _ => return None,
    })
}
