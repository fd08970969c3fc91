// A real OpenID Connect provider, as a stand-in for NHS Care Identity: the tests start it on
// loopback. Who signs in is named by `login_hint`; the claims of each come from the environment.
import http from 'node:http'
import Provider from 'oidc-provider'

const { port, people, clients } = JSON.parse(process.env.ASSENT_TEST_PROVIDER)
const issuer = `http://127.0.0.1:${port}`

const provider = new Provider(issuer, {
  clients,
  enabledJWA: { clientAuthSigningAlgValues: ['RS256', 'RS512'] },
  acrValues: ['one-factor', 'two-factors'],
  cookies: { keys: ['the tests alone use this'] },
  scopes: ['openid', 'profile', 'nationalrbacaccess'],
  claims: {
    openid: ['sub'],
    profile: ['name'],
    nationalrbacaccess: ['nhsid_useruid', 'nhsid_nrbac_roles', 'selected_roleid'],
  },
  conformIdTokenClaims: true, // claims of a person come from the userinfo endpoint only
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  // Its own would send nothing to loopback, where the tests wait for its logout tokens.
  fetch: (url, { dispatcher: _, ...options }) => fetch(url, options),
  ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 7200, Interaction: 600, Session: 3600, Grant: 3600 },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_ctx, id) => people[id] && { accountId: id, claims: () => ({ sub: id, ...people[id] }) },
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId,
    })
    grant.addOIDCScope('openid profile nationalrbacaccess')
    await grant.save()
    return grant
  },
})

provider.on('backchannel.error', (_ctx, error) => console.error('back-channel', error))

const answer = provider.callback()
http
  .createServer(async (request, reply) => {
    if (!request.url.startsWith('/interaction/')) return answer(request, reply)
    try {
      const { params } = await provider.interactionDetails(request, reply)
      await provider.interactionFinished(request, reply, { login: { accountId: params.login_hint, acr: people[params.login_hint]?.acr } })
    } catch (error) {
      reply.statusCode = 500
      reply.end(String(error))
    }
  })
  .listen(port, '127.0.0.1', () => console.log(`ready ${issuer}`))
