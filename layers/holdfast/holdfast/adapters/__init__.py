"""Everything that talks to AWS. The only boto3 calls of the project, bootstrap aside."""
