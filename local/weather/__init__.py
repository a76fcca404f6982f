"""What lies between a caller and AWS, and what moto leaves out: distance, limits, pages, states that take
their time, quotas, and all that goes wrong on the way, by seed and by rule; and a log of what was true.

    calls.py      what a request asks for, and in which protocol
    protocols.py  AWS's refusals, in the form of each protocol
    rates.py      published rates
    forecast.py   what the weather is to be: rules, and the presets `calm` and `storm`
    faults.py     what befalls a call, by seed
    truth.py      the log of the calls, and of what was done to each
    layer.py      the WSGI application before moto's
    control.py    how another process changes the weather, and reads the log
    pages.py      listings in pages of AWS's size
    background.py snapshots, backups and exports that are not there at once; listings that lag. In moto:
                  rds.py ebs.py dynamodb.py, with their quotas
    server.py     moto's server with all of it
"""
