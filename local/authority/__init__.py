"""IAM for the embedded cloud: every call with a role's credentials is checked as AWS would check it, denied
as AWS would deny it, and noted. moto's own enforcement reads no conditions and hardly any resources.

`policies` decides, from documents alone; `calls` reads what a request asks for; `table` and `snapshots` say
what AWS checks for it, in the terms of `asked`; `facts` looks up in moto what the answer depends on;
`refusals` words the answers; `enforcement` puts all that before moto.
"""

CONTROL_PATH = "/_authority"
LOG_VARIABLE = "HOLDFAST_AUTHORITY_LOG"
"""Names the file that the decisions are written to, as lines of JSON."""
