"""The server that plays AWS: moto, with what its CloudFormation, DynamoDB, EBS, RDS and SNS lack added, and
with copies that can take their time.

python -m local.moto_server --host 127.0.0.1 --port <port>
"""

from moto.server import main

from local import accounts, cloudformation, ebs, exports, mail, sandbox, slow_copies

if __name__ == "__main__":
    sandbox.enter()
    accounts.teach()
    cloudformation.teach()
    ebs.teach()
    exports.teach()
    slow_copies.teach()
    mail.deliver()
    main()
