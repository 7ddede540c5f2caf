import type { DashboardTexts } from '../texts.js'
import { acts as arActs } from './ar/acts.js'
import { app as arApp } from './ar/app.js'
import { detail as arDetail } from './ar/detail.js'
import { explain as arExplain } from './ar/explain.js'
import { form as arForm } from './ar/form.js'
import { list as arList } from './ar/list.js'
import { acts as deActs } from './de/acts.js'
import { app as deApp } from './de/app.js'
import { detail as deDetail } from './de/detail.js'
import { explain as deExplain } from './de/explain.js'
import { form as deForm } from './de/form.js'
import { list as deList } from './de/list.js'

/** The languages that come with the page, in addition to English. */
export const languages: { readonly [language: string]: DashboardTexts } = {
  ar: { ...arApp, ...arList, ...arDetail, ...arExplain, ...arForm, ...arActs },
  de: { ...deApp, ...deList, ...deDetail, ...deExplain, ...deForm, ...deActs },
}

/** Returns whether the page has its own texts in a language. */
export function hasTexts(language: string): boolean {
  return /^en(?:-|$)/i.test(language) || textsOf(language) !== undefined
}

/** Returns the texts of a language: those of `de` for `de-AT`. English, and languages not listed here, have none. */
export function textsOf(language: string): DashboardTexts | undefined {
  const [base = ''] = language.toLowerCase().split('-')
  return Object.hasOwn(languages, base) ? languages[base] : undefined
}
