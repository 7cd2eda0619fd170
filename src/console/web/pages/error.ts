// When something is not there, not allowed, or went wrong.
import { type Html, html, type View } from '../view.ts';

export function errorPage({ t }: View, text: string): Html {
  return html`<div class="sorry"><h1>${t.error.title}</h1><p>${text}</p><p><a href="/">${t.error.back}</a></p></div>`;
}
