import type { JSX } from 'preact'
import { config } from '../lib/config.js'
import { type Kind, labelOf, useName } from '../lib/names.js'

/** The name of a tenant, with a link to the host's page about it. */
export function Client({ id }: { readonly id: string }): JSX.Element {
  return <Linked template={config.clientUrl} kind="tenants" id={id} />
}

/** The name of a person, with a link to the host's page about them. */
export function User({ id }: { readonly id: string }): JSX.Element {
  return <Linked template={config.userUrl} kind="owners" id={id} />
}

type Named = { readonly kind: Kind; readonly id: string }

/** A tenant or person by name, without a link. The title has the whole name, which may be cut off in the text, and the ID. */
export function Name({ kind, id }: Named): JSX.Element {
  const name = useName(kind, id)
  return <bdi title={labelOf({ id, name })}>{name}</bdi>
}

/** IDs that a browser would resolve to a different path (RFC 3986 §5.2.4). Escapes in other IDs are escaped again, so a browser leaves them as they are. */
const DOTS = /^\.{1,2}$/

function Linked({ template, kind, id }: Named & { readonly template: string | undefined }): JSX.Element {
  const shown = <Name kind={kind} id={id} />
  if (template === undefined || DOTS.test(id)) return shown
  return (
    <a class="host-link" href={template.replaceAll('{id}', encodeURIComponent(id))}>
      {shown}
    </a>
  )
}
