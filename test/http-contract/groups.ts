import type { VectorGroup } from './vector.js'
import { aroundVectors } from './vectors/around.js'
import { credentialVectors } from './vectors/credential.js'
import { foreignVectors, sessionVectors, severalVectors } from './vectors/hosted.js'
import { methodVectors } from './vectors/methods.js'
import { outageVectors } from './vectors/outages.js'
import { scopeVectors } from './vectors/scopes.js'
import { tokenVectors } from './vectors/tokens.js'
import { apiKeyVectors, optionalVectors, presentationVectors, proxiedVectors } from './vectors/variants.js'

/** All vectors, grouped by the server they need. */
export const vectorGroups: readonly VectorGroup[] = [
  { title: 'credentials', site: 'default', vectors: credentialVectors },
  { title: 'token formats and states', site: 'default', vectors: tokenVectors },
  { title: 'scopes and resources', site: 'default', vectors: scopeVectors },
  { title: 'a failed decision admits no request', site: 'default', vectors: outageVectors },
  { title: 'methods, upgrades and bodies', site: 'default', vectors: methodVectors },
  { title: 'nothing bypasses the guard', site: 'default', vectors: aroundVectors },
  { title: 'optional authentication', site: 'optional', vectors: optionalVectors },
  { title: 'a custom header', site: 'apiKey', vectors: apiKeyVectors },
  { title: 'a realm with quotes', site: 'realm', vectors: presentationVectors },
  { title: 'a custom error body', site: 'shaped', vectors: presentationVectors },
  { title: 'an error body function that fails', site: 'brokenShape', vectors: presentationVectors },
  { title: 'host sessions', site: 'hosted', vectors: sessionVectors },
  { title: 'foreign bearer tokens', site: 'hosted', vectors: foreignVectors },
  { title: 'several credential locations', site: 'hosted', vectors: severalVectors },
  { title: 'behind a trusted proxy', site: 'proxied', vectors: proxiedVectors },
]
