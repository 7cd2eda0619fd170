// The catalogue of faults in German: title, meaning, what to do. Typed by the English one, so that none can be missing;
// bounds are named without their numbers, which are on the page of faults.
import type { FaultId, FaultWords } from './faults.ts';

export const faultsInGerman: Readonly<Record<FaultId, FaultWords>> = {
  'queue-old': {
    title: 'Mail wartet zu lange',
    meaning: 'Die älteste Mail, die zugestellt werden könnte, wartet schon zu lange.',
    action:
      'Mit "pointsman queue list" nachsehen, warum sie wartet; den Zielserver richten, dann "pointsman queue retry".',
  },
  'queue-long': {
    title: 'die Warteschlange ist lang',
    meaning: 'Es warten sehr viele Zustellungen.',
    action: 'Nachsehen, ob ein Zielserver steht oder ein Absender überschwemmt.',
  },
  'next-hop-down': {
    title: 'ein Zielserver nimmt keine Mail',
    meaning:
      'Mehrere Versuche hintereinander hat dieser Server aufgeschoben. Mail an ihn wartet und wird wieder versucht.',
    action: 'Den Mailserver und den Weg dorthin richten; verloren geht unterdessen nichts.',
  },
  'dead-letter': {
    title: 'eine unzustellbare Mail',
    meaning: 'Eine Mail war nicht zuzustellen, und eine Meldung an den Absender ist nicht erlaubt.',
    action:
      'Mit "pointsman queue show" lesen und entscheiden: "pointsman queue requeue-to" schickt sie weiter, "pointsman queue drop" beendet sie, ack heißt: ist erledigt.',
  },
  'xmpp-link-down': {
    title: 'keine XMPP-Verbindung',
    meaning: 'Wer da ist, ist unbekannt; niemand wird benachrichtigt, und Mail nimmt die Auswege der Regeln.',
    action: 'Den XMPP-Server, das Konto und dessen Zertifikat richten.',
  },
  'rules-rejected': {
    title: 'Regeldateien haben Fehler',
    meaning: 'Die neuesten Regeldateien haben Fehler; die letzten guten Regeln gelten weiter.',
    action: '"pointsman check" zeigt die Stelle; verbessern, dann "pointsman reload".',
  },
  'disk-low': {
    title: 'die Platte ist fast voll',
    meaning: 'Unter dem Zustandsordner ist fast kein Platz mehr. Ist er zu Ende, wird Mail einstweilen abgewiesen.',
    action: 'Platz schaffen oder eine größere Platte geben.',
  },
  'clock-jumped': {
    title: 'die Uhr ist gesprungen',
    meaning:
      'Die Uhr der Maschine ging auf einmal weit vor oder zurück, oder die Maschine stand. Schritte kamen vielleicht zu früh oder zu spät.',
    action: 'Die Zeitsynchronisation (chrony, systemd-timesyncd) und bei einer virtuellen Maschine deren Wirt richten.',
  },
  'escalation-exhausted': {
    title: 'eine Mail blieb ohne Antwort',
    meaning: 'Jeder Schritt der Regel wurde gegangen, und niemand hat geantwortet.',
    action: 'Selbst übernehmen (ack) oder jemanden finden; nachsehen, ob die Regel bei jemandem endet, der da ist.',
  },
  'nobody-eligible': {
    title: 'von einer Gruppe ist niemand da',
    meaning: 'Mail an die Gruppe nahm ihren Ausweg oder wartet, weil kein Mitglied infrage kam.',
    action: 'Dafür sorgen, dass jemand da ist, oder die Mitglieder oder "eligible" der Gruppe ändern.',
  },
  'commands-refused': {
    title: 'Fremde geben Befehle',
    meaning: 'Viele Befehle kamen von Leuten, die keine Regel nennt. Keiner wurde ausgeführt.',
    action: 'Im Log nachsehen, wer es ist; am XMPP-Server sperren.',
  },
  'presence-refused': {
    title: 'Anwesenheit wird verweigert',
    meaning: 'Leute aus den Regeln teilen ihre Anwesenheit nicht oder nicht mehr: ob sie da sind, ist unbekannt.',
    action: 'Sie bitten, Pointsman in ihrem Programm anzunehmen, oder beide in eine gemeinsame Roster-Gruppe tun.',
  },
  'presence-not-answered': {
    title: 'Anwesenheit: keine Antwort',
    meaning: 'Leute aus den Regeln haben nicht geantwortet, ob sie ihre Anwesenheit teilen.',
    action: 'Sie bitten, Pointsman in ihrem Programm anzunehmen, oder beide in eine gemeinsame Roster-Gruppe tun.',
  },
  'xmpp-account-shared': {
    title: 'zwei Pointsman, ein XMPP-Konto',
    meaning:
      'Ein weiterer Pointsman ist am selben XMPP-Konto angemeldet: Leute werden womöglich doppelt gefragt, von zweien, die nichts voneinander wissen.',
    action: 'Einen der beiden anhalten, oder ihm ein eigenes Konto geben.',
  },
  'xmpp-domain-silent': {
    title: 'eine XMPP-Domain schweigt',
    meaning: 'Der XMPP-Server einer anderen Domain ist nicht zu erreichen: ob die Leute dort da sind, ist unbekannt.',
    action: 'Die Verbindung der beiden Server (s2s) richten; ins Log des eigenen sehen.',
  },
  'duty-room-hides-jids': {
    title: 'ein Raum verbirgt, wer da ist',
    meaning: 'Ein Raum zeigt nicht, wer darin ist: niemand gilt dort als anwesend, und Befehle gelten dort nicht.',
    action: 'Den Raum nicht anonym machen oder Pointsman zu dessen Moderator (Zugehörigkeit admin).',
  },
  'duty-room-not-entered': {
    title: 'nicht im Dienstraum',
    meaning: 'Pointsman ist nicht in einem Raum, den die Konfiguration oder eine Regel nennt.',
    action: 'Dafür sorgen, dass es den Raum gibt und Pointsman hineindarf.',
  },
  'certificate-expiring': {
    title: 'ein Zertifikat läuft ab',
    meaning: 'Ein Zertifikat aus der Konfiguration läuft bald ab.',
    action: 'Erneuern. Das von tls.certFile wird von selbst übernommen, andere beim Neustart.',
  },
  'certificate-rejected': {
    title: 'ein Zertifikat ist unbrauchbar',
    meaning:
      'Die Dateien von tls.certFile und tls.keyFile sind geändert und unbrauchbar; das frühere Paar gilt weiter.',
    action: 'Der Text sagt, was daran falsch ist. Sie werden jede Minute neu gelesen und mit "pointsman reload".',
  },
  'directory-down': {
    title: 'das Verzeichnis ist nicht lesbar',
    meaning:
      'Personen und Gruppen konnten nicht gelesen werden: das Verzeichnis antwortet nicht oder nichts Brauchbares. Es gilt, was zuletzt gelesen wurde.',
    action: 'Verzeichnisserver, Weg und Zertifikat prüfen; "pointsman reload" liest es sofort.',
  },
  'directory-refused': {
    title: 'das Verzeichnis weist uns ab',
    meaning:
      'Das Verzeichnis lehnt unser Konto ab (etwa ein falsches Passwort) oder unsere Fragen. Es gilt, was zuletzt gelesen wurde.',
    action: 'Das Konto prüfen: seine Passwortdatei, und was es unter den Basen der Konfiguration lesen darf.',
  },
  'directory-entries': {
    title: 'Verzeichniseinträge unbrauchbar',
    meaning: 'Gruppen der Regeln haben im Verzeichnis unbrauchbare Mitglieder; die anderen bekommen die Mail.',
    action: 'Die genannten Einträge richten ("pointsman directory" zeigt sie) oder aus der Gruppe nehmen.',
  },
  'directory-change-held': {
    title: 'Verzeichnisänderung angehalten',
    meaning:
      'Eine Gruppe der Regeln ist leer geworden, oder ein großer Teil von ihr oder aller Personen ist auf einmal fort. Es gilt, was vorher da war.',
    action: 'Das Verzeichnis richten; oder, wenn es so gewollt ist, "pointsman directory accept".',
  },
  'mail-refused': {
    title: 'es wird keine Mail angenommen',
    meaning:
      'Es wird keine Mail angenommen (452): die Platte unter dem Zustandsordner ist voll oder die Warteschlange.',
    action:
      'Platz schaffen oder den Zielserver richten, auf den die Warteschlange wartet ("pointsman queue counts"); limits.freeSpace und limits.waiting sind die Grenzen.',
  },
};
