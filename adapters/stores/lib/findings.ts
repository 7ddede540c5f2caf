import type { StoreFinding } from '../../../src/store/diagnosis.js'

/** A problem with a setting: its current value, its consequences, and what to do. */
export type Concern = { readonly says: string; readonly advice: string }

/** Creates a finding about one subject: fine, with this text, unless there is a concern. */
export const finding = (name: string, fine: string, concern: Concern | false | undefined): StoreFinding =>
  concern ? { name, ok: false, detail: concern.says, advice: concern.advice } : { name, ok: true, detail: fine }

/** Reported without an assessment. */
export const fact = (name: string, detail: string): StoreFinding => ({ name, detail })
