import type { VectorGroup } from './vector.js'
import { aroundVectors } from './vectors/around.js'
import { credentialVectors } from './vectors/credential.js'
import { foreignVectors, sessionVectors, severalVectors } from './vectors/hosted.js'
import { methodVectors } from './vectors/methods.js'
import { outageVectors } from './vectors/outages.js'
import { scopeVectors } from './vectors/scopes.js'
import { tokenVectors } from './vectors/tokens.js'
import { apiKeyVectors, optionalVectors, presentationVectors, proxiedVectors } from './vectors/variants.js'

/** All vectors, by the server that they need. */
export const vectorGroups: readonly VectorGroup[] = [
  { title: 'how a token is presented', site: 'default', vectors: credentialVectors },
  { title: 'what a token is, and the states of its life', site: 'default', vectors: tokenVectors },
  { title: 'scopes and resources', site: 'default', vectors: scopeVectors },
  { title: 'no decision is no admission', site: 'default', vectors: outageVectors },
  { title: 'methods, upgrades, bodies', site: 'default', vectors: methodVectors },
  { title: 'no way around the guard', site: 'default', vectors: aroundVectors },
  { title: 'optional authentication', site: 'optional', vectors: optionalVectors },
  { title: 'a header of its own', site: 'apiKey', vectors: apiKeyVectors },
  { title: 'a realm with quotes', site: 'realm', vectors: presentationVectors },
  { title: 'a body of the host’s own', site: 'shaped', vectors: presentationVectors },
  { title: 'a body function that fails', site: 'brokenShape', vectors: presentationVectors },
  { title: 'sessions of the host', site: 'hosted', vectors: sessionVectors },
  { title: 'other bearers', site: 'hosted', vectors: foreignVectors },
  { title: 'several places for a token', site: 'hosted', vectors: severalVectors },
  { title: 'behind a trusted proxy', site: 'proxied', vectors: proxiedVectors },
]
