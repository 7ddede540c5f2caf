/** What the host chose by options. It stands in an attribute of the document, which holds nothing else. */
export type Config = {
  readonly title?: string
  readonly logo?: string
  readonly locale?: string
  readonly language: string
  readonly signIn?: string
  readonly exampleUrl?: string
  readonly envName?: string
  readonly texts?: { readonly [key: string]: string }
}

const { dataset, lang } = document.documentElement

export const config: Config = { language: lang || 'en', ...JSON.parse(dataset.config ?? '{}') }
