#!/bin/sh
# Records what nft says of the rules in edge.nft, as they are and after somebody
# changed them. Needs root and nft; each runs in a network namespace of its own.
# edge.nft itself is written by: go test ./remedies -run TestFirewallText -update-edge
set -e
cd "$(dirname "$0")"
record() {
  unshare -n sh -ec 'nft -f edge.nft; eval "$1"; nft -j list ruleset' sh "$2" >"$1.json"
}
at='nft -a list table inet watchdog_edge | sed -n "/comment \"ping\"/s/.*handle //p"'
record intact ''
record with-others 'nft add table ip filter; nft "add chain ip filter input { type filter hook input priority 0; policy accept; }"'
record loaded-twice 'nft -f edge.nft'
record rule-added 'nft add rule inet watchdog_edge input tcp dport 8080 accept'
record rule-first 'nft insert rule inet watchdog_edge input tcp dport 8080 accept'
record rule-replaced "nft replace rule inet watchdog_edge input handle \$($at) tcp dport 8080 accept"
record rule-deleted "nft delete rule inet watchdog_edge input handle \$($at)"
record policy-accept 'nft "chain inet watchdog_edge input { policy accept; }"'
record element-added 'nft add element inet watchdog_edge allowed_tcp "{ 8080 }"'
record element-deleted 'nft delete element inet watchdog_edge allowed_tcp "{ 443 }"'
record chain-added 'nft "add chain inet watchdog_edge early { type filter hook input priority -10; policy accept; }"'
record chain-flushed 'nft flush chain inet watchdog_edge input'
record ruleset-flushed 'nft flush ruleset'
