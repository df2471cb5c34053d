# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# What the container of a notebook runs: prepares the home directory, then becomes the server.
# The argument is the directory of what the image brings for its users, /home/code where there is none.
code=${1:-/home/code}
here=$(cd "$(dirname "$0")/.." && pwd)
project=${HOME%/*}
umask 0002
mkdir -p "$HOME"

cat > "$HOME/.bashrc" <<'BASHRC'
PS1='$(pwd) $UID$ '
umask 0002
BASHRC
if command -v conda > /dev/null; then
    conda init bash > /dev/null || echo "conda init failed; shells of the notebook do not know conda"
fi
# shellcheck source=/dev/null
source "$HOME/.bashrc"
[ -e "$HOME/.bash_profile" ] || cp "$here/config/bash_profile" "$HOME/.bash_profile"

# Everything below the directory, hidden files too, unless what is there is as new.
bring() {
    if [ -d "$1" ]; then
        echo "Copying what is new in $1 to $2"
        cp -r -u "$1/." "$2/" || echo "Not all of $1 could be copied"
    fi
}
bring "$code/copy-to-home" "$HOME"
bring "$code/copy-to-startup" "$project"

# Above all others; those of the image and of the user count where these are silent.
export JUPYTER_CONFIG_PATH="$here/secret:$here/config${JUPYTER_CONFIG_PATH:+:$JUPYTER_CONFIG_PATH}"
cd "$project" || exit 1
server=(jupyter lab)
if [ "$JUPYTER_ENABLE_LAB" != true ]; then
    if command -v jupyter-nbclassic > /dev/null; then server=(jupyter nbclassic); else server=(jupyter notebook); fi
elif ! command -v jupyter-lab > /dev/null; then
    echo "The image has no JupyterLab; its notebook interface is started"
    server=(jupyter notebook)
fi
# Processes that lose their parent need somebody who collects them.
if command -v tini > /dev/null; then server=(tini -g -- "${server[@]}"); fi
exec "${server[@]}"
