import type { Mutant } from './mutants.js'

/** The guard, and the check of scopes behind it: where a decision becomes an admission or a refusal. By file. */
export const GUARD_MUTANTS: { readonly [file: string]: readonly Mutant[] } = {
  'src/http/require-scopes.ts': [
    { find: 'if (admission === undefined) {', become: 'if (admission === undefined) return undefined\n    if (false) {' },
    {
      find: "if (principal === undefined) return guard.refuse('credential_missing', request)",
      become: 'if (principal === undefined) return undefined',
    },
    { find: "if (held === undefined) return refusal('scope_insufficient', requirement, admission, request)", become: '' },
    { find: 'if (!admission.limitedIn.every((dimension) => named.includes(dimension)))', become: 'if (false)' },
    {
      find: "if (admission.use?.refusalsSpent() !== undefined) return refusal('resource_denied', requirement, admission, request)",
      become: '',
    },
    { find: 'return allowed ? undefined : ', become: 'return allowed || asked.length > 0 ? undefined : ' },
    { find: 'list !== undefined && reaches(', become: 'list === undefined || reaches(' },
    { find: 'asked.every(([dimension, list])', become: 'asked.some(([dimension, list])' },
    {
      find: 'return isThenable(answer) ? Promise.resolve(answer).catch(unavailable) : answer',
      become: 'return isThenable(answer) ? Promise.resolve(answer).catch(() => undefined) : answer',
    },
    { find: "spent === undefined ? code : 'rate_limited'", become: 'code' },
    { find: 'if (spent !== undefined) {', become: 'if (false) {' },
  ],
  'src/http/admission.ts': [
    { find: "if (key !== KEY) throw new TypeError('only a guard lets a request in')", become: '' },
    { find: '#request in value && value.#request === request', become: '#request in value' },
    { find: 'Mark.cancel(mark)\n', become: 'void 0\n' },
    { find: 'if (admission === undefined) admissions.delete(request)', become: 'if (admission === undefined) void 0' },
    { find: '|| mark !== undefined) {', become: ') {' },
  ],
  'src/http/authenticate.ts': [
    { find: 'admit(request, undefined)\n', become: '' },
    {
      find: "if (presented.kind === 'malformed') return { response: refuse('credential_malformed', request, { why: presented.reason }) }",
      become: '',
    },
    { find: "if (presented.kind === 'missing') return bySession(request, seen)", become: '' },
    { find: "return optional ? undefined : refuse('credential_missing', request)", become: 'return undefined' },
    { find: "=== 'own' ? undefined : refuse('cross_site', request)", become: "=== 'own' ? undefined : undefined" },
    {
      find: "if (presented.kind === 'token' && presented.resent && cameFrom(seen) === 'other') return { response: refuse('cross_site', request) }",
      become: '',
    },
    { find: "principal === undefined ? refuse('token_invalid', request) : undefined", become: 'undefined' },
    { find: 'decider.isOwn?.(presented.token) === false', become: 'true' },
    { find: 'before?.guard.decider === decider ? before.principal : undefined', become: 'before?.principal' },
    { find: 'return isPrincipal(principal) ? { ok, principal } : undefined', become: 'return { ok, principal: principal as Principal }' },
    { find: 'if (ok === true) {', become: 'if (ok) {' },
    { find: "if (verification === undefined) return fault(request, new StoreUnavailableError('the decision made no sense'))", become: '' },
    {
      find: '.catch((error: unknown) => fault(request, error))\n  }\n\n  const authenticate',
      become: '.catch(() => ({ anonymous: true as const }))\n  }\n\n  const authenticate',
    },
    {
      find: '    } catch (error) {\n      return fault(request, error)\n    }\n  }\n  return Object',
      become: '    } catch {\n      return { anonymous: true }\n    }\n  }\n  return Object',
    },
    { find: 'use, limitedIn: limitsOf(resources, principal)', become: 'use, limitedIn: []' },
    { find: 'use: undefined, limitedIn: limitsOf(resources, principal)', become: 'use: undefined, limitedIn: []' },
  ],
  'src/verify/route-check.ts': [
    { find: 'catalogue === undefined || Object.hasOwn(catalogue, scope)', become: 'catalogue === undefined || scope in catalogue' },
    { find: "mode === 'explicit' && ", become: '' },
    { find: "mode === 'explicit' && principal?.resources !== undefined", become: 'false' },
    { find: 'principal.allows(scope, Object.fromEntries([[dimension, values]])) === true', become: 'principal.allows(scope)' },
    { find: 'exists(scope) && principal.allows(scope) === true', become: 'exists(scope) && Boolean(principal.allows(scope))' },
    { find: 'exists(scope) && principal.allows(scope) === true', become: 'principal.allows(scope) === true' },
    { find: 'held.length === scopes.length || any ? held[0] : undefined', become: 'held[0]' },
    { find: 'held.length === scopes.length || any ? held[0] : undefined', become: 'held.length === scopes.length ? held[0] : undefined' },
  ],
}
