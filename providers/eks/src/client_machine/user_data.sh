#!/bin/bash
# Prepares a machine for clients of the Howso Platform. Runs as root, once, when the machine starts for the first time; what it says
# is in /var/log/cloud-init-output.log. It holds no secret: whoever is on the machine can read it.
set -euo pipefail

readonly environment=/opt/howso

dnf --assumeyes install python3.11 python3.11-pip
python3.11 -m venv "$environment"
"$environment/bin/pip" install --upgrade pip howso-engine

cat > /etc/profile.d/howso.sh <<'PROFILE'
export PATH="/opt/howso/bin:$PATH"
# Twice what one of a hundred trainees waits for a new node.
export HOWSO_CLIENT_CREATE_MAX_WAIT_TIME="${HOWSO_CLIENT_CREATE_MAX_WAIT_TIME:-@WAIT_SECS@}"
PROFILE

# The platform has the rest of its client in an index of its own, behind a token that its page "Client Setup" shows.
cat > "$environment/bin/howso-install-client" <<'INSTALL'
#!/bin/bash
# Installs the client of the platform from the platform itself. Asks for the address of its package index, with the token in it, which
# the page "Client Setup" of the platform shows after --extra-index-url; it is kept nowhere.
set -euo pipefail
read -rsp 'Address of the package index of the platform: ' PIP_EXTRA_INDEX_URL
echo
export PIP_EXTRA_INDEX_URL
exec /opt/howso/bin/pip install --upgrade 'howso-platform-client[full]'
INSTALL
chmod 755 "$environment/bin/howso-install-client"
chown --recursive ec2-user: "$environment"
