import type { Mutant } from './mutants.js'

/** The guard and its scope check, where a decision becomes an admission or a refusal. By file. */
export const GUARD_MUTANTS: { readonly [file: string]: readonly Mutant[] } = {
  'src/http/require-scopes.ts': [
    { find: 'if (admission === undefined) {', become: 'if (admission === undefined) return undefined\n    if (false) {' },
    {
      find: "if (principal === undefined) return guard.refuse('credential_missing', request)",
      become: 'if (principal === undefined) return undefined',
    },
    { find: "if (held === undefined) return refusal('scope_insufficient', requirement, admission, request)", become: '' },
    {
      find: 'if (limitedIn.length > 0 && !limitedIn.every((dimension) => requirement.resources.some(([named]) => named === dimension)))',
      become: 'if (false)',
    },
    { find: 'if (requirement.looksUp && admission.use?.refusalsSpent() !== undefined)', become: 'if (false)' },
    { find: 'requirement.looksUp && ', become: '' },
    { find: 'return allowed ? undefined : ', become: 'return allowed || asked.length > 0 ? undefined : ' },
    { find: 'list !== undefined && reaches(', become: 'list === undefined || reaches(' },
    { find: 'asked.every(([dimension, list])', become: 'asked.some(([dimension, list])' },
    {
      find: 'const checked = Promise.resolve(answer).catch(unavailable)',
      become: 'const checked = Promise.resolve(answer).catch(() => undefined)',
    },
    { find: 'if (spent !== undefined) {', become: 'if (false) {' },
  ],
  'src/http/admission.ts': [
    { find: "if (key !== KEY) throw new TypeError('only a guard admits a request')", become: '' },
    { find: '#request in value && value.#request === request', become: '#request in value' },
    { find: 'Mark.cancel(mark)\n', become: 'void 0\n' },
    { find: 'if (admission === undefined) admissions.delete(request)', become: 'if (admission === undefined) void 0' },
    { find: '|| mark !== undefined) {', become: ') {' },
    { find: "spent === undefined ? code : 'rate_limited'", become: 'code' },
  ],
  'src/http/authenticate.ts': [
    { find: 'admit(request, undefined)\n', become: '' },
    { find: 'undoUse(before?.use)\n      return', become: 'return' },
    { find: 'if (outcome.response !== undefined) undoUse(use)', become: '' },
    { find: 'if (refusal !== undefined) undoUse(admissionOf(request as R)?.use)', become: '' },
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
    { find: 'rootOf(before.guard.decider) === rootOf(decider) ? before.principal : undefined', become: 'undefined' },
    { find: 'return isPrincipal(principal) ? principal : undefined', become: 'return principal as Principal' },
    { find: 'if (ok !== true) return undefined', become: 'if (!ok) return undefined' },
    {
      find: "if (refused === undefined) return fault(request, new StoreUnavailableError('the decision has an unknown form'))",
      become: '',
    },
    {
      find: '.catch((error: unknown) => fault(request, error))\n  }\n\n  const authenticate',
      become: '.catch(() => ({ anonymous: true as const }))\n  }\n\n  const authenticate',
    },
    {
      find: 'return fault(request, error)\n    }\n  }\n  return Object',
      become: 'return { anonymous: true }\n    }\n  }\n  return Object',
    },
    { find: 'use, limitedIn: limitsOf(resources, principal)', become: 'use, limitedIn: []' },
    { find: 'use: undefined, limitedIn: limitsOf(resources, principal)', become: 'use: undefined, limitedIn: []' },
  ],
  'src/verify/route-check.ts': [
    { find: 'catalogue === undefined || Object.hasOwn(catalogue, scope)', become: 'catalogue === undefined || scope in catalogue' },
    { find: "mode === 'explicit' && ", become: '' },
    { find: "mode === 'explicit' && principal?.resources !== undefined", become: 'false' },
    { find: 'permits(principal, scope, Object.fromEntries([[dimension, values]]))', become: 'permits(principal, scope)' },
    { find: 'exists(scope) && permits(principal, scope)', become: 'permits(principal, scope)' },
    { find: 'held.length === scopes.length || any ? held[0] : undefined', become: 'held[0]' },
    { find: 'held.length === scopes.length || any ? held[0] : undefined', become: 'held.length === scopes.length ? held[0] : undefined' },
  ],
}
