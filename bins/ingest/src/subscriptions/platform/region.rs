//! Genesys Cloud's domains by AWS region: the API is at `api.` and tokens are at `login.` of each.

/// Region and domain.
const DOMAINS: [(&str, &str); 17] = [
    ("us-east-1", "mypurecloud.com"),
    ("us-east-2", "use2.us-gov-pure.cloud"),
    ("us-west-2", "usw2.pure.cloud"),
    ("ca-central-1", "cac1.pure.cloud"),
    ("mx-central-1", "mxc1.pure.cloud"),
    ("sa-east-1", "sae1.pure.cloud"),
    ("eu-west-1", "mypurecloud.ie"),
    ("eu-west-2", "euw2.pure.cloud"),
    ("eu-central-1", "mypurecloud.de"),
    ("eu-central-2", "euc2.pure.cloud"),
    ("me-central-1", "mec1.pure.cloud"),
    ("ap-south-1", "aps1.pure.cloud"),
    ("ap-northeast-1", "mypurecloud.jp"),
    ("ap-northeast-2", "apne2.pure.cloud"),
    ("ap-northeast-3", "apne3.pure.cloud"),
    ("ap-southeast-1", "apse1.pure.cloud"),
    ("ap-southeast-2", "mypurecloud.com.au"),
];

/// The domain of a region.
pub(super) fn domain(region: &str) -> Option<&'static str> {
    DOMAINS
        .iter()
        .find(|(known, _)| *known == region)
        .map(|(_, domain)| *domain)
}

/// All regions, for a message.
pub(super) fn known() -> String {
    DOMAINS.map(|(region, _)| region).join(", ")
}
