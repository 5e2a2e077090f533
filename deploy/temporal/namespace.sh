#!/bin/sh
# Creates the namespace, or sets its retention. TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE come from the environment.
set -eu

# A closed run stays visible, and its ID taken, for this long: 30 days, as long as people resend events by hand.
# The ledger's unique key holds for ever.
retention=720h

if temporal operator namespace describe -n "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
  temporal operator namespace update -n "$TEMPORAL_NAMESPACE" --retention "$retention"
else
  temporal operator namespace create -n "$TEMPORAL_NAMESPACE" --retention "$retention"
fi
