// The parts of ltx that the embedded XMPP server uses; ltx ships no types. Declared by its sub-paths, which are the
// same module instances as `ltx` itself, so that this file meets no other declaration of that name.
declare module 'ltx/src/Element.js' {
  export default class Element {
    constructor(name: string, attrs?: Record<string, string | undefined>);
    name: string;
    parent: Element | null;
    children: (Element | string)[];
    attrs: Record<string, string | undefined>;
    is(name: string, xmlns?: string): boolean;
    getName(): string;
    getNS(): string | undefined;
    findNS(prefix?: string): string | undefined;
    getChild(name: string, xmlns?: string): Element | undefined;
    getChildren(name: string, xmlns?: string): Element[];
    getText(): string;
    getChildText(name: string, xmlns?: string): string | null;
    append(...nodes: (Element | string)[]): void;
    remove(element: Element | string, xmlns?: string): this;
    toString(): string;
  }
}

declare module 'ltx/src/parse.js' {
  import type Element from 'ltx/src/Element.js';
  export default function parse(text: string): Element;
}

declare module 'ltx/src/parsers/ltx.js' {
  export default class SaxLtx {
    on(event: 'startElement', listener: (name: string, attrs: Record<string, string>) => void): this;
    on(event: 'endElement', listener: (name: string) => void): this;
    on(event: 'text', listener: (text: string) => void): this;
    write(text: string): void;
  }
}
