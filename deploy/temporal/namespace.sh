#!/bin/sh
# Creates the namespace, or sets its retention, and the search attribute of hookflow's runs. TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE come from the environment.
set -eu

# A closed run stays visible, and its ID taken, for this long: 30 days, as long as people resend events by hand.
# The ledger's unique key holds for ever.
retention=720h

# The port is open some seconds before the server serves.
tries=60
until temporal operator cluster health >/dev/null 2>&1; do
  tries=$((tries - 1))
  if [ "$tries" -eq 0 ]; then
    echo "Temporal at $TEMPORAL_ADDRESS did not become healthy in two minutes" >&2
    exit 1
  fi
  sleep 2
done

if temporal operator namespace describe -n "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
  temporal operator namespace update -n "$TEMPORAL_NAMESPACE" --retention "$retention"
else
  temporal operator namespace create -n "$TEMPORAL_NAMESPACE" --retention "$retention"
fi

# Safe to repeat. hookflow migrate up creates it too, where it may and is told of Temporal.
temporal operator search-attribute create -n "$TEMPORAL_NAMESPACE" --name HookflowEventType --type Keyword ||
  echo "The search attribute HookflowEventType was not created; runs start without it"
