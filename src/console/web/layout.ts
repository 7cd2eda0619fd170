// The frame of every page: where one is, where else one can go, who is signed in. Scripts and styles are our own files;
// nothing is inline, so that the Content-Security-Policy can forbid whatever mail might smuggle in.
import { assetUrl } from './assets.ts';
import { type Html, html, raw, token, type View } from './view.ts';

export type PageName = 'now' | 'queue' | 'people' | 'events' | 'rules' | 'reports';

export interface Frame {
  readonly view: View;
  readonly page: PageName | null;
  readonly title: string;
  /** Null where nobody has to sign in. */
  readonly user: string | null;
  /** What is shown once at the top: what has been done, or why not. */
  readonly said?: { readonly good: boolean; readonly text: string };
  /** Where the parts of the page that change come from. */
  readonly stream?: string;
  /** Nobody is signed in: no way to the other pages. */
  readonly bare?: boolean;
  readonly body: Html | readonly Html[];
}

const paths: Readonly<Record<PageName, string>> = {
  now: '/',
  queue: '/queue',
  people: '/people',
  events: '/events',
  rules: '/rules',
  reports: '/reports',
};

export function frame({ view, page, title, user, said, stream, bare, body }: Frame): Html {
  const { t, language } = view;
  const other = language === 'en' ? 'de' : 'en';
  const pages = Object.entries(paths) as [PageName, string][];
  return html`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="htmx-config" content='{"includeIndicatorCSS":false,"history":false,"extensions":"sse","morphIgnore":["data-htmx-powered","open"],"sse":{"pauseOnBackground":true,"reconnectMaxDelay":5000}}'>
<title>${title} · Pointsman</title>
<link rel="icon" href="${assetUrl('mark.svg')}" type="image/svg+xml">
<link rel="stylesheet" href="${assetUrl('console.css')}">
<link rel="stylesheet" href="${assetUrl('desk.css')}">
<script src="${assetUrl('htmx.js')}" defer></script>
<script src="${assetUrl('sse.js')}" defer></script>
<script src="${assetUrl('console.js')}" defer></script>
</head>
<body data-words="${JSON.stringify({ ago: t.ago('#'), in: t.in('#'), due: t.due })}" data-zone="${view.zone}">
<a class="skip" href="#content">${t.skip}</a>
<header class="top">
  <a class="brand" href="/" ${page === 'now' ? raw('aria-current="page"') : ''}>${logo()}<span>Pointsman</span></a>
  ${
    bare
      ? ''
      : html`<nav aria-label="${t.mainNav}"><ul>${pages.map(
          ([name, path]) =>
            html`<li><a href="${path}" ${name === page ? raw('aria-current="page"') : ''}>${t.nav[name]}</a></li>`,
        )}</ul></nav>`
  }
  <div class="who">
    ${stream ? html`<span class="live" data-on="${t.live.on}" data-off="${t.live.off}" role="status"></span>` : ''}
    <a class="quiet" href="/language/${other}" lang="${other}" hreflang="${other}">${t.otherLanguage}</a>
    ${
      user === null || bare
        ? ''
        : html`<span class="user">${user}</span>
    <form method="post" action="/sign-out">${token()}<button class="quiet">${t.signOut}</button></form>`
    }
  </div>
</header>
<main id="content" tabindex="-1" class="page page-${page ?? 'other'}">
${said ? html`<p class="said ${said.good ? 'good' : 'bad'}" role="${said.good ? 'status' : 'alert'}">${said.text}</p>` : ''}
${body}
</main>
<footer class="foot">${t.zoneNote(view.zone)}</footer>
${stream ? html`<div hidden id="stream" hx-sse:connect="${stream}" hx-swap="none"></div>` : ''}
</body>
</html>`;
}

/** Two tracks and a switch between them. */
function logo(): Html {
  return raw(
    '<svg class="logo" viewBox="0 0 32 24" aria-hidden="true" focusable="false"><path d="M1 18h30M3 18c9 0 11-12 20-12h8"/><circle cx="9" cy="18" r="2.4"/></svg>',
  );
}

/** A part of a page that changes by itself: replaced as a whole, by its id. */
export interface Section {
  readonly id: string;
  readonly html: Html;
}

export function section(id: string, content: Html, label?: string): Section {
  const name = label === undefined ? raw('') : html` aria-label="${label}"`;
  return { id, html: html`<section id="${id}"${name}>${content}</section>` };
}
