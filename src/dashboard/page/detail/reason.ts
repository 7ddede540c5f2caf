import { moment } from '../lib/format.js'
import type { Blanks, Key } from '../lib/text.js'
import type { Step } from '../lib/types.js'

type Sentence = { readonly k: Key; readonly blanks: { readonly [name: string]: string } & Blanks }

/** Why a step refuses, and what to do about it. */
export type Reason = { readonly why: Sentence; readonly what: Sentence }

const list = (items: readonly string[] | undefined): string => (items ?? []).join(', ')
const time = (at: string | undefined): string => (at === undefined ? '' : moment(at))

/** Returns the reason why a step refuses. */
export function reasonOf(step: Step): Reason {
  if (step.code === 'store_unavailable') return reason('why.undecided', {}, 'do.undecided')
  switch (step.step) {
    case 'record':
      return reason('why.record', { time: time(step.createdAt) }, 'do.record')
    case 'revoked':
      return reason('why.revoked', { time: time(step.revokedAt) }, 'do.revoked')
    case 'inactive':
      return reason('why.inactive', { time: time(step.deactivatedAt) }, 'do.inactive')
    case 'not_before':
      return reason('why.not_before', { time: time(step.notBefore) }, 'do.not_before')
    case 'expired':
      return reason('why.expired', { time: time(step.expiresAt) }, 'do.expired')
    case 'address':
      return reason('why.address', { ip: step.ip ?? '', list: list(step.allowedIps) }, 'do.address')
    case 'owner':
      return reason('why.owner', { owner: step.ownerId ?? '' }, 'do.owner')
    case 'rate':
      return reason('why.rate', { list: list(spentOf(step)) }, 'do.rate')
    case 'scopes':
      return scopeReason(step)
    case 'resources':
      return resourceReason(step)
  }
}

type Named<Begin extends string> = Key extends infer K ? (K extends `explain.${Begin}.${infer Name}` ? `${Begin}.${Name}` : never) : never

function reason(why: Named<'why'>, blanks: Sentence['blanks'], what: Named<'do'>, todo: Sentence['blanks'] = {}): Reason {
  return { why: { k: `explain.${why}`, blanks }, what: { k: `explain.${what}`, blanks: todo } }
}

function spentOf({ rates, limits }: Step): readonly string[] | undefined {
  const spent = (rates ?? []).filter(({ remaining }) => remaining === 0).map(({ name }) => name)
  return spent.length > 0 ? spent : limits
}

function scopeReason({ scopes = [] }: Step): Reason {
  const lacking = scopes.filter(({ held }) => held === false)
  const names = { list: list(lacking.map(({ scope }) => scope)) }
  // The wildcard for every scope would also help, but is not good advice.
  const givers = lacking.flatMap(({ givenBy }) => givenBy ?? []).filter((name) => name !== '*')
  return givers.length === 0 ? reason('why.scopes', names, 'do.owned') : reason('why.scopes', names, 'do.scopes', { list: list(givers) })
}

function resourceReason({ resources = [] }: Step): Reason {
  const unnamed = resources.filter(({ asked }) => asked.length === 0).map(({ dimension }) => dimension)
  if (unnamed.length > 0) return reason('why.unnamed', { list: list(unnamed) }, 'do.unnamed')
  const missing = resources.flatMap(({ dimension, missing = [] }) => missing.map((value) => `${dimension}=${value}`))
  return reason('why.resources', { list: list(missing) }, 'do.resources')
}
