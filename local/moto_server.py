"""The server that plays AWS: moto, with what its CloudFormation and its SNS lack added.

python -m local.moto_server --host 127.0.0.1 --port <port>
"""

from moto.server import main

from local import cloudformation, mail, sandbox

if __name__ == "__main__":
    sandbox.enter()
    cloudformation.teach()
    mail.deliver()
    main()
