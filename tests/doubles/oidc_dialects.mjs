// What forges want said otherwise than OAuth's own documents, put into their words and back. What is
// asked, given and refused is the provider's alone.
import { parse } from "node:querystring";

const FORM = "application/x-www-form-urlencoded";

async function bodyOf(req) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function given(ctx) {
  if (ctx.method === "GET") return ctx.query;
  const body = await bodyOf(ctx.req);
  return ctx.is(FORM) ? parse(body) : { token: JSON.parse(body).access_token };
}

export function understand(provider, { addresses = {}, prefixes = {}, pace_s = 0 }) {
  const { prototype } = provider.AccessToken;
  const { generateTokenId } = prototype;
  prototype.generateTokenId = function () {
    return (prefixes[this.clientId] ?? "") + generateTokenId.call(this);
  };
  const asked = new Map();
  const isHasty = (code) => {
    const before = asked.get(code);
    asked.set(code, Date.now());
    // Source: https://www.rfc-editor.org/rfc/rfc8628#section-3.5
    return Date.now() - before < pace_s * 1000;
  };
  provider.use(async (ctx, next) => {
    const address = addresses[ctx.path];
    if (address === undefined) return next();
    const said = await given(ctx);
    const meant = { ...address.adds?.[said.client_id], ...said };
    const { method } = ctx;
    ctx.path = address.is;
    if (method === "GET") {
      ctx.query = meant;
    } else {
      ctx.method = "POST";
      ctx.req.headers["content-type"] = FORM;
      ctx.req.body = meant;
    }
    if (meant.device_code !== undefined && isHasty(meant.device_code)) {
      ctx.status = 400;
      ctx.body = { error: "slow_down" };
      return;
    }
    await next();
    // GitHub says so of a token that it ended.
    if (method === "DELETE" && ctx.status === 200) ctx.status = 204;
    // Gitea names who a token is for.
    if (ctx.body?.active && !ctx.body.aud) ctx.body.aud = [ctx.body.client_id];
  });
}
