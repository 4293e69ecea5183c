// The identity provider of a test: oidc-provider with its development pages. Run where it is installed.
import Provider from "oidc-provider";

const told = JSON.parse(process.env.SETTINGS);
const provider = new Provider(told.issuer, {
  clients: told.clients,
  jwks: told.jwks,
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
  routes: told.routes,
  // `api` is that of a forge.
  scopes: ["openid", "email", "profile", "groups", "api"],
  conformIdTokenClaims: false,
  cookies: { keys: ["made up for a test"] },
  features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true },
    revocation: { enabled: true }, deviceFlow: { enabled: true }, introspection: { enabled: true } },
  pkce: { required: () => true },
  ttl: { IdToken: 60, AccessToken: 60, Grant: 600, Interaction: 600, Session: 600 },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...told.people[id] }) }),
});
provider.listen(told.port, "127.0.0.1", () => console.log("listening"));
