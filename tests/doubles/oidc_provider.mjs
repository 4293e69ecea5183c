// The identity provider of a test: oidc-provider with its development pages. Run where it is installed.
import Provider from "oidc-provider";

import { understand } from "./oidc_dialects.mjs";

const told = JSON.parse(process.env.SETTINGS);
const { resources = {} } = told;
const provider = new Provider(told.issuer, {
  clients: told.clients,
  jwks: told.jwks,
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
  routes: told.routes,
  scopes: ["openid", "email", "profile", "groups", ...(told.scopes ?? [])],
  conformIdTokenClaims: false,
  cookies: { keys: ["made up for a test"] },
  features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true },
    revocation: { enabled: true }, deviceFlow: { enabled: true }, introspection: { enabled: true },
    // A client whose tokens are for a resource gets ones that this resource can read.
    resourceIndicators: { enabled: true,
      defaultResource: (_, client) => resources[client.clientId]?.resource,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, __, client) => ({ ...resources[client.clientId], accessTokenFormat: "jwt",
        jwt: { sign: { alg: "RS256" } } }) } },
  extraTokenClaims: (_, token) => resources[token.clientId]?.claims,
  pkce: { required: (_, client) => !told.unchallenged?.includes(client.clientId) },
  ttl: { IdToken: 60, AccessToken: 60, Grant: 600, Interaction: 600, Session: 600, ...told.ttl },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...told.people[id] }) }),
});
understand(provider, told);
provider.listen(told.port, "127.0.0.1", () => console.log("listening"));
