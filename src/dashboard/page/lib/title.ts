import { useEffect } from 'preact/hooks'
import { config } from './config.js'
import { t } from './text.js'

/** Sets the document title: the current view, then the page. */
export function useTitle(what?: string): void {
  useEffect(() => {
    const page = config.title ?? t('app.title')
    document.title = what === undefined ? page : `${what} · ${page}`
  }, [what])
}
