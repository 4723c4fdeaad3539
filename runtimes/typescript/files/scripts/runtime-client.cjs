// Runs AWS's runtime interface client for Node.js without its compiled part, rapid-client.cc, whose place this takes.
// Usage: node runtime-client.cjs AWS-LAMBDA-RIC, its folder; the variables of Lambda say the rest.
const { Agent, request } = require("node:http");
const Module = require("node:module");
const path = require("node:path");

const agent = new Agent({ keepAlive: true });
const load = Module._load;
let answered = Promise.resolve();

function call(method, what, body, headers = {}) {
  const url = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/${what}`;
  return new Promise((resolve, reject) => {
    const options = { agent, method, headers: { "content-type": "application/json", ...headers } };
    const asked = request(url, options, (response) => {
      let text = "";
      response.setEncoding("utf-8").on("data", (part) => {
        text += part;
      });
      response.on("end", () => resolve({ bodyJson: text, headers: response.headers }));
    });
    asked.on("error", reject).end(body);
  });
}

const client = {
  next: () => answered.then(() => call("GET", "next")),
  done: (id, body) => {
    answered = call("POST", `${id}/response`, body);
  },
  error: (id, body, cause) => {
    answered = call("POST", `${id}/error`, body, { "lambda-runtime-function-xray-error-cause": cause });
  },
};

Module._load = (name, ...rest) => (name === "./rapid-client.node" ? client : load(name, ...rest));
void import(path.resolve(process.argv[2], "index.mjs"));
