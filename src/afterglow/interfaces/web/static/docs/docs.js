// The page of the HTTP interface. The Swagger UI of the package reads OpenAPI 3.0; ours is 3.1, so what differs and
// occurs in it is rewritten for the eye: "anyOf: [x, null]" is "x, nullable". Nothing is asked of other hosts.
function older(value) {
  if (Array.isArray(value)) return value.map(older);
  if (value === null || typeof value !== "object") return value;
  const some = value.anyOf?.filter((one) => one.type !== "null");
  if (some && some.length < value.anyOf.length) {
    const { anyOf, ...rest } = value;
    return { ...older(rest), ...(some.length === 1 ? older(some[0]) : { anyOf: older(some) }), nullable: true };
  }
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, older(one)]));
}

const description = await (await fetch("/openapi.json")).json();
window.SwaggerUIBundle({
  spec: { ...older(description), openapi: "3.0.3" },
  dom_id: "#docs",
  validatorUrl: null,
  deepLinking: true,
});
