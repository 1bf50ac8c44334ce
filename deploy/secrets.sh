#!/bin/sh
# Makes the passwords of docker-compose.yml, each at random, in deploy/secrets. What is there already stays as it is, so
# running it again changes nothing. The folder is closed to others; the files in it are not, because each is mounted
# into containers whose users are not you.
set -eu

cd "$(dirname "$0")"
umask 077
mkdir -p secrets

random() { # 48 hexadecimal digits: they need no quoting in addresses and configuration files
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

keep() { # keep FILE: write standard input to it, unless it is there
    if [ ! -s "secrets/$1" ]; then
        cat > "secrets/$1.new"
        chmod 0444 "secrets/$1.new"
        mv "secrets/$1.new" "secrets/$1"
        echo "made deploy/secrets/$1"
    fi
}

for name in postgres_password minio_password milvus_password redis_password secret_key; do
    random | keep "$name"
done
printf likeness | keep minio_user

printf 'postgresql://likeness:%s@postgres:5432/likeness' "$(cat secrets/postgres_password)" | keep database_url
printf 's3+http://likeness:%s@minio:9000/likeness' "$(cat secrets/minio_password)" | keep objects_url
printf 'milvus://root:%s@milvus:19530' "$(cat secrets/milvus_password)" | keep vectors_url
printf 'redis://:%s@redis:6379/0' "$(cat secrets/redis_password)" | keep queue_url

# Milvus, Redis and SeaweedFS (compose.seaweedfs.yml) read no password from a file of its own.
printf 'COMMON_SECURITY_DEFAULTROOTPASSWORD=%s\nMINIO_ACCESS_KEY_ID=likeness\nMINIO_SECRET_ACCESS_KEY=%s\n' \
    "$(cat secrets/milvus_password)" "$(cat secrets/minio_password)" | keep milvus.env
printf 'requirepass %s\nsave ""\nappendonly no\n' "$(cat secrets/redis_password)" | keep redis.conf
printf '{"identities": [{"name": "likeness", "actions": ["Admin", "Read", "Write", "List"], "credentials":
  [{"accessKey": "likeness", "secretKey": "%s"}]}]}\n' "$(cat secrets/minio_password)" | keep s3.json
