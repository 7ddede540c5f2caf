/** Options of the host. The document contains them in an attribute, and no other data. */
export type Config = {
  readonly title?: string
  readonly logo?: string
  readonly locale?: string
  readonly language: string
  readonly signIn?: string
  readonly exampleUrl?: string
  readonly exampleMethod?: string
  readonly exampleBody?: object
  readonly envName?: string
  readonly userUrl?: string
  readonly clientUrl?: string
  readonly clientName?: { readonly one: string; readonly many: string }
  readonly back?: { readonly url: string; readonly text: string }
  readonly metadata?: readonly { readonly key: string; readonly label: string }[]
  readonly texts?: { readonly [key: string]: string }
}

const { dataset, lang } = document.documentElement

export const config: Config = { language: lang || 'en', ...JSON.parse(dataset.config ?? '{}') }
