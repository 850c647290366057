"""One wrong value for every rule of every parameter of a call."""

from __future__ import annotations

from datetime import timedelta

TO = "+15551234567"
FROM = "+15557654321"
TWIML = "<Response><Say>hi</Say></Response>"
SID = "0123456789abcdef0123456789ABCDEF"
WITHOUT_QUOTES = "(YAML reads text of digits as a number where it has no quotes: put quotes around it)"

# Arguments, then what the one line about them says.
WRONG = [
    (
        {"account_sid": "AC123"},
        ["account_sid='AC123' is not an Account SID: give AC and 32 hexadecimal digits"],
    ),
    ({"account_sid": f"AP{SID}"}, ["is not an Account SID"]),
    ({"account_sid": f"AC{SID}0"}, ["is not an Account SID"]),
    ({"to": None}, ["to is missing: give the number to call, e.g. +15551234567 (Twilio error 21201)"]),
    ({"to": ""}, ["to='' is empty, as templates may render: give the number to call", "21201"]),
    ({"to": "None"}, ["to='None' is empty, as templates may render: give the number to call", "21201"]),
    (
        {"to": "5551234567"},
        [
            "to='5551234567' is not E.164: start with + and the country code, e.g. +15551234567",
            "(Twilio error 21211)",
        ],
    ),
    ({"to": "0033612345678"}, ["to='0********5678' starts with 00: write + instead of 00", "21211"]),
    ({"to": "911"}, ["to='911' is an emergency number", "21211"]),
    ({"to": "40404"}, ["to='40404' is a short number", "21211"]),
    ({"to": "alice"}, ["to='alice' is neither a phone number nor client:name nor sip:user@host", "21211"]),
    ({"to": "sip:alice"}, ["to='sip:alice' is neither a phone number nor client:name nor sip:user@host"]),
    ({"to": "client:"}, ["to='client:' is neither a phone number"]),
    ({"to": "client:al ice"}, ["to='client:al ice' is neither a phone number"]),
    ({"to": 15551234567}, ["to=1******4567 is of type int, not text", WITHOUT_QUOTES, "21211"]),
    ({"to": f"tel:{TO}"}, ["nor sip:user@host: write the number without tel:"]),
    ({"to": f"whatsapp:{TO}"}, ["write the number without whatsapp:"]),
    ({"to": "SIP:bob@example.com"}, ["write sip:user@host, in lower case"]),
    ({"to": "Client:bob"}, ["write client:name, in lower case"]),
    ({"to": TO.encode()}, ["is of type bytes, not text: give a string"]),
    ({"url": b"https://example.com"}, ["is of type bytes, not text: give a string"], {"twiml": None}),
    ({"call_reason": b"orders"}, ["is of type bytes, not text: give a string"]),
    ({"to": [TO]}, ["is of type list, not text: give a string"]),
    ({"to": "\ud800"}, ["to='\\ud800' has half a character (a lone surrogate)"]),
    ({"to": FROM}, ["to and from_ are both '+1*******4321': call from another number", "21211"]),
    ({"to": "+1 (555) 765 4321"}, ["to and from_ are both '+1*******4321'"]),
    ({"to": "client:alice", "from_": "client:alice"}, ["to and from_ are both 'client:a****'"]),
    ({"from_": "5557654321"}, ["from_='5557654321' is not E.164: start with +", "(Twilio error 21212)"]),
    ({"from_": 15557654321}, ["from_=1******4321 is of type int, not text", WITHOUT_QUOTES]),
    ({"from_": "two words"}, ["from_='two words' is not a caller", "21212"], {"to": "client:bob"}),
    ({"from_": "555"}, ["from_='555' is a short number", "21212"], {"to": "client:bob"}),
    (
        {"from_": "client:alice"},
        ["from_='client:a****' cannot call a phone number: give a phone number of yours"],
    ),
    ({"from_": "alice"}, ["from_='a****' cannot call a phone number", "21212"]),
    ({"url": "https://example.com/x"}, ["url and twiml are given", "give exactly one of url, twiml and app"]),
    (
        {"url": "https://example.com/x", "application_sid": f"AP{SID}"},
        ["url and twiml and application_sid are given, and Twilio follows one"],
    ),
    ({"twiml": None}, ["none of url, twiml and application_sid is given", "message becomes twiml"]),
    ({"twiml": " "}, ["none of url, twiml and application_sid is given, or a template rendered to nothing"]),
    ({"twiml": "hello"}, ["twiml='hello' is text, not XML: for words to be said use message"]),
    ({"twiml": "<Response><Say>a</Response>"}, ["is not well-formed XML (mismatched tag at line 1, column"]),
    (
        {"twiml": "<response/>"},
        ["twiml='<response/>' has the root element <response>: the root must be <Respo"],
    ),
    ({"twiml": "<!DOCTYPE a><Response/>"}, ["has a DOCTYPE: TwiML needs none"]),
    (
        {"twiml": f"<Response><Say>{'x' * 4000}</Say></Response>"},
        ["has 4032 characters after XML escaping and Twilio takes 4000: shorten it", "(Twilio error 32018)"],
    ),
    ({"twiml": "<Response><Say>\ud800</Say></Response>"}, ["has half a character (a lone surrogate)"]),
    (
        {"url": "example.com"},
        ["url='example.com' is not an absolute http or https URL", "21205"],
        {"twiml": None},
    ),
    ({"url": "ftp://example.com"}, ["is not an absolute http or https URL: write it whole"], {"twiml": None}),
    ({"url": "https://my_host.com/"}, ["has an underscore in its host name"], {"twiml": None}),
    ({"url": "https:///path"}, ["is not an absolute http or https URL"], {"twiml": None}),
    ({"url": "https://exa mple.com"}, ["is not an absolute http or https URL"], {"twiml": None}),
    ({"url": "https://example.com:http/"}, ["is not a URL (Port could not be cast"], {"twiml": None}),
    ({"url": "https://[::1/"}, ["is not a URL (Invalid IPv6 URL)"], {"twiml": None}),
    (
        {"application_sid": f"AC{SID}"},
        ["is not the SID of an application: give AP and 32 hexadecimal digits", "21218"],
        {"twiml": None},
    ),
    *(
        (
            {method: "PUT"},
            [f"{method}='PUT' is not one of 'GET', 'POST': give one of them (Twilio error 21209)"],
        )
        for method in (
            "method",
            "fallback_method",
            "status_callback_method",
            "recording_status_callback_method",
            "async_amd_status_callback_method",
        )
    ),
    ({"method": "GTE"}, ["method='GTE' is not one of 'GET', 'POST': did you mean 'GET'?"]),
    *(
        ({url: value}, [f"{url}='{value}' {says}", "(Twilio error 21205)"])
        for url in (
            "fallback_url",
            "status_callback",
            "recording_status_callback",
            "async_amd_status_callback",
            "client_notification_url",
        )
        for value, says in (
            ("/relative", "is not an absolute http or https URL"),
            ("https://call_me.example.com/", "has an underscore in its host name, which Twilio refuses"),
        )
    ),
    (
        {"status_callback_event": ["ringing", "Completed"]},
        [
            "status_callback_event='Completed' is not one of 'initiated', 'ringing'",
            "did you mean 'completed'?",
        ],
    ),
    ({"status_callback_event": "ringing, busy"}, ["status_callback_event='busy' is not one of"]),
    ({"status_callback_event": 5}, ["status_callback_event=5 is not a list of events: give a list such as"]),
    ({"status_callback_event": "['ringing'"}, ["is not a list of events: give a list such as"]),
    (
        {"recording_status_callback_event": ["complete"]},
        [
            "recording_status_callback_event='complete' is not one of 'in-progress'",
            "did you mean 'completed'?",
        ],
    ),
    ({"send_digits": "12E"}, ["send_digits='12E' is not a row of keys", "32 of 0-9 A-D # * w W", "21206"]),
    ({"send_digits": "1" * 33}, ["is not a row of keys to press: give at most 32", "21206"]),
    ({"send_digits": 1234}, ["send_digits=1234 is of type int, not text", WITHOUT_QUOTES]),
    (
        {"timeout": 3600},
        [
            "timeout=3600 is not a time to let it ring: give whole seconds from 1 to 600",
            "default_args",
            "21208",
        ],
    ),
    ({"timeout": 0}, ["timeout=0 is not a time to let it ring", "default_args"]),
    ({"timeout": timedelta(seconds=0.5)}, ["timeout=0.5 is not a time to let it ring"]),
    ({"timeout": timedelta(hours=1)}, ["is not a time to let it ring"]),
    ({"timeout": "Pause"}, ["timeout='Pause' is not a time to let it ring"]),
    ({"timeout": "soon"}, ["timeout='soon' is not a time to let it ring"]),
    ({"timeout": "30.5"}, ["timeout='30.5' is not a time to let it ring"]),
    ({"timeout": True}, ["timeout=True is not a time to let it ring"]),
    ({"time_limit": "0"}, ["time_limit='0' is not a length of a call: give whole seconds above 0"]),
    ({"time_limit": -5}, ["time_limit=-5 is not a length of a call"]),
    ({"record": "maybe"}, ["record='maybe' is neither true nor false"]),
    ({"record": 2}, ["record=2 is neither true nor false"]),
    ({"recording_channels": "stereo"}, ["recording_channels='stereo' is not one of 'mono', 'dual'"]),
    ({"recording_track": "bth"}, ["recording_track='bth' is not one of", "did you mean 'both'?"]),
    ({"trim": "trim_silence"}, ["trim='trim_silence' is not one of", "did you mean 'trim-silence'?"]),
    (
        {"sip_auth_username": "ann"},
        ["sip_auth_username is given without sip_auth_password: give both (Twilio error 21221 to 21225)"],
    ),
    (
        {"sip_auth_username": "u" * 256},
        ["sip_auth_username='uuu", "is too long: Twilio takes at most 255 characters", "21221 to 21225"],
        {"sip_auth_password": "p"},
    ),
    (
        {"sip_auth_password": "p" * 256},
        ["sip_auth_password=*** is too long: Twilio takes at most 255 characters", "21221 to 21225"],
        {"sip_auth_username": "u"},
    ),
    (
        {"machine_detection": "enable"},
        [
            "machine_detection='enable' is not one of 'Enable', 'DetectMessageEnd': did you mean 'Enable'?",
            "21234",
        ],
    ),
    ({"machine_detection": True}, ["machine_detection=True is not one of 'Enable', 'DetectMessageEnd'"]),
    ({"machine_detection_timeout": 0}, ["machine_detection_timeout=0 is not a time for machine detection"]),
    ({"machine_detection_speech_threshold": 999}, ["=999 is out of range", "milliseconds from 1000 to 6000"]),
    ({"machine_detection_speech_threshold": 6001}, ["=6001 is out of range", "from 1000 to 6000"]),
    ({"machine_detection_speech_end_threshold": 499}, ["=499 is out of range", "from 500 to 5000"]),
    ({"machine_detection_speech_end_threshold": 5001}, ["=5001 is out of range", "from 500 to 5000"]),
    ({"machine_detection_silence_timeout": 1999}, ["=1999 is out of range", "from 2000 to 10000"]),
    ({"machine_detection_silence_timeout": 10001}, ["=10001 is out of range", "from 2000 to 10000"]),
    ({"async_amd": "perhaps"}, ["async_amd='perhaps' is not one of 'true', 'false'"]),
    ({"caller_id": "5551234567"}, ["caller_id='5551234567' is not E.164: start with +"]),
    ({"byoc": f"AP{SID}"}, ["is not the SID of a BYOC trunk: give BY and 32 hexadecimal digits"]),
    (
        {"byoc": f"BY{SID}"},
        ["carries calls to phone numbers only, and to is none: leave byoc out"],
        {"to": "client:bob"},
    ),
    ({"call_reason": 5}, ["call_reason=5 is of type int, not text"]),
    ({"call_reason": "\udfff"}, ["call_reason='\\udfff' has half a character"]),
    ({"call_token": ["secret"]}, ["call_token=*** is of type list, not text: give a string"]),
    ({"call_token": "secret\ud800"}, ["call_token=*** has half a character"]),
    ({"recording_configuration_id": 1.5}, ["recording_configuration_id=1.5 is of type float, not text"]),
    ({"passports": "a,b,c,d,e,f"}, ["passports='a,b,c,d,e,f' is not 1 to 5 passports: give at most 5"]),
    ({"passports": "a,,b"}, ["passports='a,,b' is not 1 to 5 passports"]),
]
