# shellcheck shell=bash disable=SC2034
# Owns: what every script here shares: where things are, and how a step tells its name and its seconds. Sourced, not run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=.venv
stamps=build/stamps
logs=build/logs
jobs=${JOBS:-$(nproc)}
mkdir -p "$stamps" "$logs"
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '%s\n' "$*"; }
refuse() { printf '%s\n' "$*" >&2; exit 1; }

seconds_since() {  # $1: a value of EPOCHREALTIME
  local now=$EPOCHREALTIME
  local micros=$(( ${now/[.,]/} - ${1/[.,]/} ))
  printf '%d.%d' $(( micros / 1000000 )) $(( micros / 100000 % 10 ))
}

# step NAME COMMAND...: a quiet step. Its output goes to build/logs/NAME.log and is shown if it fails.
step() {
  local name=$1 log="$logs/${1//[ \/]/-}.log" started=$EPOCHREALTIME
  shift
  [ ! -t 1 ] || printf '   …     %s' "$name"
  if "$@" >"$log" 2>&1 </dev/null; then
    [ ! -t 1 ] || printf '\r'
    printf '%7s s  %s\n' "$(seconds_since "$started")" "$name"
    return 0
  fi
  [ ! -t 1 ] || printf '\r'
  printf '%7s s  %s: FAILED, the end of %s:\n' "$(seconds_since "$started")" "$name" "$log"
  tail -n 80 "$log"
  return 1
}

# stage NAME COMMAND...: a step whose output is worth reading as it comes.
stage() {
  local name=$1 started=$EPOCHREALTIME status=0
  shift
  printf '\n== %s\n' "$name"
  "$@" </dev/null || status=$?
  printf '%7s s  %s%s\n' "$(seconds_since "$started")" "$name" "$([ $status -eq 0 ] || echo ': FAILED')"
  return $status
}

# content_of PATH...: one digest of all files below these paths.
content_of() {
  find "$@" -type f -not -name '*.pyc' -print0 2>/dev/null | sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

# unless_done NAME CONTENT COMMAND...: the step NAME, left out if it succeeded before with the same content.
unless_done() {
  local name=$1 stamp="$stamps/${1//[ \/]/-}" content=$2
  shift 2
  if [ "$(cat "$stamp" 2>/dev/null)" = "$content" ]; then return 0; fi
  rm -f "$stamp"
  step "$name" "$@" || return 1
  printf '%s\n' "$content" >"$stamp"
}
