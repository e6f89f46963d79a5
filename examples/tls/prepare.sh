#!/bin/sh
# Makes certificates to try TLS with, in the folder `certificates` beside this file: an authority, a server that it vouches
# for, and a client. For a real server, take those that your authority (or certbot) gives you.
set -eu
cd "$(dirname "$0")"
rm -rf certificates
mkdir -m 700 certificates
cd certificates

key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; }

key ca
openssl req -x509 -key ca.key -subj "/CN=Example authority" -days 30 -out ca.pem

# NAME SUBJECT EXTENSIONS
issue() {
    key "$1"
    printf '%s\n' "$3" >"$1.ext"
    openssl req -new -key "$1.key" -subj "$2" |
        openssl x509 -req -CA ca.pem -CAkey ca.key -days 30 -extfile "$1.ext" -out "$1.pem" 2>/dev/null
    rm "$1.ext"
}

issue server "/CN=localhost" "subjectAltName=DNS:localhost,DNS:api.localhost"
issue client "/O=Example/CN=alice" "extendedKeyUsage=clientAuth
subjectAltName=email:alice@example.com"
