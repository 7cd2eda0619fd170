// The one page for whoever is not signed in.
import { type Html, html, type View } from '../view.ts';

export function signInPage({ t }: View, wrong: string | null): Html {
  return html`<form method="post" action="/sign-in" class="sign-in">
    <h1>${t.signIn}</h1>
    ${wrong === null ? '' : html`<p class="said bad" role="alert">${wrong}</p>`}
    <label>${t.sign.name} <input name="name" autocomplete="username" required maxlength="64" autofocus></label>
    <label>${t.sign.password} <input name="password" type="password" autocomplete="current-password" required maxlength="1000"></label>
    <button class="primary">${t.signIn}</button></form>`;
}
