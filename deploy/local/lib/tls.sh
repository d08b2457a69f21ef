# shellcheck shell=bash
# A private CA for the private servers, where KPILINE_LOCAL_TLS is set: then both offer TLS beside plain text, and take client certificates of that CA.
# Without it they do not, so that nothing that is measured pays for it. Sourced after common.sh.

TLS_DIR=$RUN_DIR/tls # ca.pem, ca.key, server.pem, server.key, client.pem, client.key

tls_wanted() { [ -n "${KPILINE_LOCAL_TLS:-}" ]; }

# tls_make: the files, once. Moved into place whole.
tls_make() {
    [ -s "$TLS_DIR/ca.pem" ] && return 0
    local dir=$TLS_DIR.new
    rm -rf "$dir"
    mkdir -p "$dir"
    (
        umask 077
        cd "$dir"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -days 3650 \
            -subj '/CN=kpiline private CA' -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign'
        tls_sign server '/CN=localhost' 'subjectAltName=DNS:localhost,IP:127.0.0.1' 'extendedKeyUsage=serverAuth'
        tls_sign client '/CN=kpiline' 'extendedKeyUsage=clientAuth'
    ) >"$LOG_DIR/tls.log" 2>&1 || {
        cat "$LOG_DIR/tls.log" >&2
        die "openssl could not make the private CA"
    }
    mv "$dir" "$TLS_DIR"
}

# tls_sign NAME SUBJECT EXTENSION...: NAME.pem and NAME.key, signed by the CA of this folder.
tls_sign() {
    local name=$1 subject=$2
    shift 2
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$name.key" -out "$name.csr" -subj "$subject"
    printf '%s\n' "$@" >"$name.ext"
    openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 825 -extfile "$name.ext" -out "$name.pem"
    rm -f "$name.csr" "$name.ext"
}

# tls_for USER FOLDER: what a server of that user needs, where it can read it.
tls_for() {
    tls_make
    mkdir -p "$2"
    cp "$TLS_DIR"/{ca.pem,server.pem,server.key} "$2"
    chmod 0700 "$2"
    chmod 0600 "$2"/*
    if is_root; then chown -R "$1:" "$2"; fi
}
