# Answers what hookflow forwards: a Vapi tool, a Twilio menu, a Slack command. Only Python's standard library.
#   HOOKFLOW_FORWARD_SECRET=whsec_... python3 desk.py 9000
import base64, hashlib, hmac, json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

SECRETS = [base64.b64decode(s.removeprefix("whsec_")) for s in os.environ["HOOKFLOW_FORWARD_SECRET"].split(",")]


def verified(headers, body):
    """Standard Webhooks: HMAC-SHA256 over id.timestamp.body, five minutes old at most."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    want = ["v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in SECRETS]
    got = headers["webhook-signature"].split(" ")
    fresh = abs(time.time() - int(headers["webhook-timestamp"])) <= 300
    return fresh and any(hmac.compare_digest(w, g) for w in want for g in got)


def look_up_order(call):
    """One tool call: text, or {"error": text}, which the assistant is told."""
    arguments = call.get("function", call).get("arguments") or {}
    if isinstance(arguments, str):
        arguments = json.loads(arguments)
    return f"Order {arguments.get('order', 'without a number')} left on Tuesday."


def vapi_tool_calls(body):
    """A result for each tool call, in the order of the list. hookflow adds the ids and makes each one line of text."""
    return "application/json", json.dumps([look_up_order(call) for call in json.loads(body)["message"]["toolCallList"]])


def twilio_call(body):
    """The menu, and the request that Twilio makes with the digit."""
    digits = parse_qs(body.decode()).get("Digits", [""])[0]
    if digits == "1":
        return "text/xml", "<Response><Say>We are open until six.</Say></Response>"
    return "text/xml", (
        '<Response><Gather numDigits="1" timeout="5"><Say>For our opening hours, press one.</Say></Gather>'
        "<Say>Goodbye.</Say></Response>"
    )


def slack_weather(body):
    """Only the user sees it. What takes longer goes to response_url, in a step after the reply."""
    place = parse_qs(body.decode()).get("text", ["here"])[0]
    return "application/json", json.dumps({"response_type": "ephemeral", "text": f"Sunny in {place}."})


ANSWERS = {"tool-calls": vapi_tool_calls, "call.incoming": twilio_call, "command:/weather": slack_weather}


class Desk(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if not verified(self.headers, body):
            return self.send_error(401)
        answer = ANSWERS.get(self.headers["hookflow-event-type"])
        if answer is None:
            return self.send_error(410)  # no attempt would change that: the fallback goes out
        media_type, text = answer(body)
        self.send_response(200)
        self.send_header("content-type", media_type)
        self.end_headers()
        self.wfile.write(text.encode())


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Desk).serve_forever()
