#!/usr/bin/env bash
# One open issue a stack while what runs differs from what is declared:
#   drift.sh STACK FILE    opens it, or brings it up to date
#   drift.sh STACK         closes it
# Needs GH_TOKEN and GH_REPO.
set -euo pipefail
title="Drift: $1"
mine='[.[] | select(.title == env.title)][0].number // empty'
number=$(title=$title gh issue list --state open --app github-actions --limit 200 \
  --json number,title | title=$title jq -r "$mine")

if [[ $# -eq 1 ]]; then
  [[ -z $number ]] || gh issue close "$number" --comment "What runs is what is declared again."
  exit
fi
body=$(
  echo "What runs in \`$1\` is not what its stack declares, or it could not be asked."
  echo "Take it back with \`pulumi up --refresh\`, or declare it. [The run]($RUN)."
  echo
  # GitHub takes 65,536 characters; the summary is at the end. Indented, it is code whatever it says.
  tail -c 40000 "$2" | tail -n 500 | sed 's/^/    /'
)
if [[ -n $number ]]; then
  gh issue edit "$number" --body "$body"
else
  gh issue create --title "$title" --body "$body"
fi
