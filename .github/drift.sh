#!/usr/bin/env bash
# Keeps one open issue for each stack whose resources differ from its program:
#   drift.sh STACK FILE    opens or updates the issue; FILE is the CLI's output
#   drift.sh STACK         closes it
# Needs GH_TOKEN, GH_REPO and RUN, the address of the workflow's run.
set -euo pipefail
title="Drift: $1"
mine='[.[] | select(.title == env.title)][0].number // empty'
number=$(title=$title gh issue list --state open --app github-actions --limit 200 \
  --json number,title | title=$title jq -r "$mine")

if [[ $# -eq 1 ]]; then
  [[ -z $number ]] || gh issue close "$number" --comment "The resources match the program again."
  exit
fi
body=$(
  echo "The resources of \`$1\` differ from its program, or the comparison failed ([run]($RUN))."
  echo "Undo the change with \`pulumi up --refresh\`, or add it to the stack."
  echo
  # GitHub's limit is 65,536 characters. The summary is at the end. Indentation makes it a code block.
  tail -c 40000 "$2" | tail -n 500 | sed 's/^/    /'
)
if [[ -n $number ]]; then
  gh issue edit "$number" --body "$body"
else
  gh issue create --title "$title" --body "$body"
fi
