#!/usr/bin/env bash
# Writes FILE into the pull request's comment of this stack: comment.sh STACK FILE.
# Needs GH_TOKEN, GITHUB_REPOSITORY and PULL_REQUEST, the number.
set -euo pipefail
marker="<!-- kserve-triton:review:$1 -->"
comments="repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments"

# Only comments of this bot: others may quote the marker.
mine='.[] | select(.user.login == "github-actions[bot]" and (.body | startswith(env.marker))) | .id'
id=$(marker=$marker gh api --paginate "$comments" --jq "$mine" | head -n 1)

# GitHub's limit is 65,536 characters.
{
  echo "$marker"
  grep -vxF -- "$marker" "$2" || true
} | head -c 65000 | jq -Rs '{body: .}' |
  if [[ -n $id ]]; then
    gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" --input -
  else
    gh api --silent --method POST "$comments" --input -
  fi
