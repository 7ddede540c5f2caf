import type { Me } from '../lib/types.js'
import type { Place } from '../lib/url.js'
import { type Draft, expiryDays, type Limits, mayLiveForever } from './draft.js'

/** Returns whether a link filled in the form. A tenant without other values comes from the list's filter. */
export const isWished = ({ name, description, scopes, owner, expires }: Place): boolean =>
  [name, description, scopes, owner, expires].some(Boolean)

/** Returns scopes that a link asks for. */
const scopesIn = ({ scopes = '' }: Place): readonly string[] => [...new Set(scopes.split(/[\s,]+/).filter(Boolean))]

/** Returns scopes that a link asks for, but that the user cannot grant. */
export const notGrantable = (wishes: Place, me: Me): readonly string[] => scopesIn(wishes).filter((name) => !me.grantable.includes(name))

/** Returns the form as a link fills it in, as far as the user and the host allow. A link cannot request a token for all tenants. */
export function wish(draft: Draft, wishes: Place, me: Me, limits: Limits): Draft {
  const { name = '', description = '', tenant, owner, expires } = wishes
  const days = expiryDays(limits).map(String)
  const mayEnd = expires !== undefined && (days.includes(expires) || (expires === 'never' && mayLiveForever(limits)))
  return {
    ...draft,
    name: name.slice(0, 200),
    description: description.slice(0, 1000),
    scopes: scopesIn(wishes).filter((scope) => me.grantable.includes(scope)),
    ...(tenant !== undefined && (me.tenants === '*' || me.tenants.includes(tenant)) && { tenantId: tenant.slice(0, 200) }),
    ...(owner !== undefined && me.manages === 'all' && { ownerId: owner.slice(0, 200) }),
    ...(mayEnd && { expiry: expires }),
  }
}
