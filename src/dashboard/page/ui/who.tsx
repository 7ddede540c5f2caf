import type { JSX } from 'preact'
import { config } from '../lib/config.js'
import { useName } from '../lib/names.js'

/** A tenant by name, with a link to the host's page about it. */
export function Client({ id }: { readonly id: string }): JSX.Element {
  return <Linked template={config.clientUrl} id={id} text={useName('tenants', id)} />
}

/** A person by name, with a link to the host's page about them. */
export function User({ id }: { readonly id: string }): JSX.Element {
  return <Linked template={config.userUrl} id={id} text={useName('owners', id)} />
}

function Linked({
  template,
  id,
  text,
}: {
  readonly template: string | undefined
  readonly id: string
  readonly text: string
}): JSX.Element {
  const shown = <bdi title={text === id ? undefined : id}>{text}</bdi>
  if (template === undefined) return shown
  return (
    <a class="host-link" href={template.replaceAll('{id}', encodeURIComponent(id))}>
      {shown}
    </a>
  )
}
