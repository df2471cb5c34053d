# SPDX-License-Identifier: GPL-3.0-or-later
"""How a pod fetches its source: a script of the container that alone has the credentials."""

from __future__ import annotations

from ...values.unprivileged import UNPRIVILEGED

TREE = "tree"  # below the volume of the source
CREDENTIALS, HOME = "/credentials", "/fetch"
# How the script ends where it cannot fetch (sysexits.h: EX_NOINPUT, EX_TEMPFAIL).
UNAVAILABLE, UNREACHABLE = 66, 75

# For ssh, which asks the name of its user; CRI-O adds a line like it by itself where the cluster chooses a UID.
PASSWD = f"root:x:0:0::/:/bin/sh\nnotebook:x:{UNPRIVILEGED}:0::{HOME}:/bin/sh\n"

# Any sh (POSIX.1-2017) will do. SOURCE_URL and SOURCE_REF stand in quotes wherever they are used, after -- where git takes it.
# No credential is an argument or the value of a variable that another process has: git asks for it by its own protocol
# (gitcredentials(7)), and only for the host of the URL.
SCRIPT = r"""set -u
secret=/credentials
tree=/source/tree
log=$HOME/log
hosts=$secret/known_hosts
[ -s "$hosts" ] || hosts=$secret/ssh-knownhosts

held() { # the content of a file of the Secret
    if [ -f "$secret/$1" ]; then cat "$secret/$1"; fi
}
password() {
    if [ -f "$secret/password" ]; then held password; else held token; fi
}
if [ "${1-}" = credentials ]; then
    if [ "${2-}" = get ]; then
        user=$(held username)
        printf 'username=%s\npassword=%s\n' "${user:-oauth2}" "$(password)"
    fi
    exit 0
fi

tell() { # status, sentence
    status=$1 words=$2 hidden=$(password)
    while [ -n "$hidden" ]; do
        case $words in
            *"$hidden"*) words="${words%%"$hidden"*}***${words#*"$hidden"}" ;;
            *) break ;;
        esac
    done
    printf '%s' "$words" >/dev/termination-log
    printf '%s\n' "$words" >&2
    exit "$status"
}
fail() { # what was tried
    idle='^(hint:|@|$|fatal: Could not read from|Please make sure|and the repository exists)'
    words=$(grep -Ev "$idle" "$log" | tail -n 4 | tr '\n\t\r' '   ' | sed 's#://[^/@ ]*@#://***@#g')
    status=66
    away='could not resolve|couldn.t connect|failed to connect|connection (refused|reset|timed out|closed by)|timed out'
    away="$away|unreachable|no route to host|temporary failure|early EOF|unexpected disconnect|remote end hung up"
    away="$away|returned error: (429|5[0-9][0-9])"
    if grep -Eqi "$away" "$log" && ! grep -Eqi 'permission denied|host key|authentication failed|access denied' "$log"; then
        status=75
    fi
    tell "$status" "The source $SOURCE_URL cannot be fetched at $SOURCE_REF: $1 ($words)."
}

command -v git >/dev/null || tell 66 "The image of the source has no git: name one that has it as source.image."
export GIT_TERMINAL_PROMPT=0 GIT_ALLOW_PROTOCOL=http:https:ssh:git GIT_CONFIG_NOSYSTEM=1 LC_ALL=C
if [ -f "$secret/ca.crt" ]; then export GIT_SSL_CAINFO="$secret/ca.crt"; fi
if [ -n "${SOURCE_SECRET-}" ]; then
    case $SOURCE_URL in
        https://*)
            [ -n "$(password)" ] ||
                tell 66 "The Secret $SOURCE_SECRET does not exist or has neither password nor token: https needs one of them."
            rest=${SOURCE_URL#*://}
            git config --global "credential.https://${rest%%/*}.helper" '!sh /program/fetch.sh credentials'
            ;;
        *)
            [ -f "$secret/ssh-privatekey" ] ||
                tell 66 "The Secret $SOURCE_SECRET does not exist or has no ssh-privatekey: ssh needs it."
            [ -s "$hosts" ] ||
                tell 66 "The Secret $SOURCE_SECRET has no known_hosts: add the host's line, as ssh-keyscan prints it."
            umask 077
            { held ssh-privatekey; echo; } >"$HOME/key" # a key whose last line does not end is none to ssh
            umask 022
            ;;
    esac
fi
known="-o StrictHostKeyChecking=yes -o UserKnownHostsFile=$hosts -o GlobalKnownHostsFile=/dev/null"
export GIT_SSH_COMMAND="ssh -F none -i $HOME/key -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=30 $known"
git config --global http.lowSpeedLimit 1000
git config --global http.lowSpeedTime 60
git config --global advice.detachedHead false

# A container that is started again finds what it left.
rm -rf "$tree"
git init -q "$tree" 2>"$log" && cd "$tree" || fail "there is no place for it"
git remote add -- origin "$SOURCE_URL" 2>"$log" || fail "git does not take the address"
case $SOURCE_REF in
    *[!0-9a-f]*) commit= ;;
    *) case ${#SOURCE_REF} in 40 | 64) commit=$SOURCE_REF ;; *) commit= ;; esac ;;
esac
if [ -n "$commit" ]; then
    # Not every server gives a commit by its name (uploadpack.allowReachableSHA1InWant); what it has of branches and tags it does.
    git fetch -q --depth 1 --no-tags origin "$commit" 2>"$log" ||
        git fetch -q origin '+refs/heads/*:refs/remotes/origin/*' '+refs/tags/*:refs/tags/*' 2>"$log" || fail "git says"
else
    refs=$(git ls-remote origin "$SOURCE_REF" 2>"$log") || fail "git says"
    tab=$(printf '\t')
    found=
    for name in "refs/tags/$SOURCE_REF" "refs/heads/$SOURCE_REF" "$SOURCE_REF"; do # a branch counts more than a tag of its name
        case "$refs
" in *"$tab$name
"*) found=$name ;; esac
    done
    [ -n "$found" ] || tell 66 "The source $SOURCE_URL has no branch or tag $SOURCE_REF: correct source.ref."
    git fetch -q --depth 1 --no-tags origin "$found" 2>"$log" || fail "git says"
    commit=FETCH_HEAD
fi
git checkout -q --detach "$commit" 2>"$log" || fail "there is no such commit"
if [ -f .gitmodules ]; then
    git submodule -q update --init --recursive --depth 1 2>"$log" || fail "a submodule is not to be had"
fi
rm -rf .git
"""
