// Shows every operation of openapi.json with a form to try it.

const token = document.getElementById("token");
const ROOT = new URL("../../", document.baseURI); // where this server begins on its host

/** A new element with properties and children. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** An example value for a schema: enough to be edited. */
function example(schema, schemas) {
  if (schema.$ref) return example(schemas[schema.$ref.split("/").pop()], schemas);
  if (schema.default !== undefined) return schema.default;
  if (schema.anyOf) return example(schema.anyOf[0], schemas);
  if (schema.enum) return schema.enum[0];
  if (schema.type === "array") return [];
  if (schema.type === "object") {
    const wanted = schema.required?.length ? schema.required : Object.keys(schema.properties ?? {});
    return Object.fromEntries(wanted.map((name) => [name, example(schema.properties[name], schemas)]));
  }
  return { integer: schema.minimum ?? 0, boolean: false }[schema.type] ?? "";
}

/** Send the request of a form and show the answer. */
async function send(method, path, inputs, body, output) {
  const query = new URLSearchParams();
  let url = path;
  for (const [parameter, input] of inputs) {
    if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value !== "") query.set(parameter.name, input.value);
  }
  const headers = {};
  if (token.value) headers.Authorization = `Bearer ${token.value}`;
  if (body) headers["Content-Type"] = "application/json";
  url = new URL(url.slice(1), ROOT);
  url.search = query;
  const options = { method: method.toUpperCase(), headers, body: body?.value, redirect: "manual" };
  const answer = await fetch(url, options);
  const text = await answer.text();
  const limits = ["limit", "remaining", "reset"].map((name) => answer.headers.get(`x-ratelimit-${name}`));
  const head = `${answer.status} ${answer.statusText}  (requests left: ${limits[1] ?? "?"} of ${limits[0] ?? "?"})`;
  output.textContent = `${head}\n\n${pretty(text)}`;
}

/** JSON with line breaks; any other text as it is. */
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Ask for a request's body in `form`: its content type, null for a form's, and how to `read` it. */
function bodyOf(content, form, schemas) {
  const [type, { schema }] = Object.entries(content)[0];
  if (type === "multipart/form-data") return fieldsOf(schema, form);
  const area = element("textarea", { value: JSON.stringify(example(schema, schemas), null, 2), spellcheck: false });
  form.append(element("label", {}, "body", area));
  return { type, read: () => area.value };
}

function fieldsOf({ properties, required = [] }, form) {
  const fields = Object.entries(properties).map(([name, { format }]) => {
    const kind = format === "binary" ? "file" : "text";
    const input = element("input", { type: kind, required: required.includes(name), autocomplete: "off" });
    form.append(element("label", {}, `${name} (form)`, input));
    return [name, input];
  });
  const read = () => {
    const data = new FormData();
    for (const [name, { files, value }] of fields) if (value !== "") data.append(name, files?.[0] ?? value);
    return data;
  };
  return { type: null, read };
}

/** One operation: what it does, its form, and what may come back. */
function operation(method, path, details, schemas) {
  const form = element("form", { className: "operation" }, element("p", { textContent: details.description }));
  const inputs = details.parameters.map((parameter) => {
    const input = element("input", { required: parameter.required, autocomplete: "off" });
    form.append(element("label", {}, `${parameter.name} (${parameter.in})`, input));
    return [parameter, input];
  });
  let body = null;
  if (details.requestBody) body = bodyOf(details.requestBody.content, form, schemas);
  const output = element("pre", { hidden: true });
  form.append(element("button", { textContent: "Send" }), output, answers(details.responses));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    output.hidden = false;
    send(method, path, inputs, body, output).catch((error) => {
      output.textContent = String(error);
    });
  });
  const title = element("summary", {});
  title.append(element("span", { className: "method", textContent: method.toUpperCase() }));
  title.append(element("code", { textContent: path }), ` ${details.summary}`);
  return element("details", {}, title, form);
}

/** The statuses that an operation may answer with. */
function answers(responses) {
  const rows = Object.entries(responses).map(([status, { description }]) =>
    element("tr", {}, element("td", { textContent: status }), element("td", { textContent: description })),
  );
  return element("table", {}, ...rows);
}

const description = await (await fetch("openapi.json")).json();
const main = document.getElementById("operations");
const sections = new Map();
for (const [path, methods] of Object.entries(description.paths)) {
  for (const [method, details] of Object.entries(methods)) {
    const tag = details.tags[0];
    if (!sections.has(tag)) sections.set(tag, element("section", {}, element("h2", { textContent: tag })));
    sections.get(tag).append(operation(method, path, details, description.components.schemas));
  }
}
main.append(...sections.values());
main.setAttribute("aria-busy", "false");
