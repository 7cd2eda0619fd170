// Delivery reports and read receipts as programs write them: the same structure, field names, case and white space, with
// addresses of our own. Written after published samples; none is a capture.
const crlf = (text: string): Buffer => Buffer.from(text.replace(/^\n/, '').replace(/\r?\n/g, '\r\n'), 'latin1');

export interface ReceiptWords {
  readonly from: string;
  readonly to: string;
  /** With angle brackets. */
  readonly messageId: string;
}

const standard: ReceiptWords = {
  from: 'bob@example.org',
  to: 'ann@example.net',
  messageId: '<fire-1@example.net>',
};

export const receipts = {
  thunderbird: ({ from, to, messageId }: ReceiptWords = standard) =>
    crlf(`
Message-ID: <3c0f0a5e-receipt@example.org>
Date: Mon, 2 Mar 2026 10:00:00 +0100
MIME-Version: 1.0
From: Bob <${from}>
To: ${to}
Subject: Return Receipt (displayed) - The printer is on fire
References: ${messageId}
In-Reply-To: ${messageId}
Content-Type: multipart/report; report-type=disposition-notification;
 boundary="------------mdn030302080802070108040202"

--------------mdn030302080802070108040202
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: 8bit

This is a Return Receipt for the mail that you sent to support@example.org.

Note: This Return Receipt only acknowledges that the message was displayed on the recipient's computer.
--------------mdn030302080802070108040202
Content-Type: message/disposition-notification; name="MDNPart2.txt"
Content-Disposition: inline
Content-Transfer-Encoding: 7bit

Reporting-UA: pc17; Mozilla Thunderbird
Final-Recipient: rfc822;${from}
Original-Message-ID: ${messageId}
Disposition: manual-action/MDN-sent-manually; displayed

--------------mdn030302080802070108040202
Content-Type: text/rfc822-headers; name="MDNPart3.txt"
Content-Transfer-Encoding: 7bit
Content-Disposition: inline

Message-ID: ${messageId}
Subject: The printer is on fire

--------------mdn030302080802070108040202--
`),

  /** The desktop program over SMTP: base64 text, the MDN's fields with an upper-case type and extensions. */
  outlook: ({ from, to, messageId }: ReceiptWords = standard) =>
    crlf(`
From: "Bob" <${from}>
To: <${to}>
Subject: Read: The printer is on fire
Date: Mon, 2 Mar 2026 10:00:00 +0100
Message-ID: <000a01dcaa26$receipt@example.org>
MIME-Version: 1.0
Content-Type: multipart/report;
	report-type=disposition-notification;
	boundary="----=_NextPart_000_000B_01DCAA2E.6F2A4C60"
X-Mailer: Microsoft Outlook 16.0

This is a multipart message in MIME format.

------=_NextPart_000_000B_01DCAA2E.6F2A4C60
Content-Type: text/plain;
	charset="us-ascii"
Content-Transfer-Encoding: 7bit

Your message was read on Monday, March 2, 2026 10:00:00 AM.
------=_NextPart_000_000B_01DCAA2E.6F2A4C60
Content-Type: message/disposition-notification
Content-Transfer-Encoding: 7bit

Reporting-UA: example.org; Microsoft Outlook 16.0
Final-Recipient: RFC822;${from}
Original-Message-ID: ${messageId}
Disposition: manual-action/MDN-sent-manually; displayed

------=_NextPart_000_000B_01DCAA2E.6F2A4C60--
`),

  /** The server on its user's behalf: nobody can tell from it whether a person has seen it. */
  exchange: ({ from, to, messageId }: ReceiptWords = standard) =>
    crlf(`
From: Bob <${from}>
To: Ann <${to}>
Subject: Read: The printer is on fire
Message-ID: <DB7PR0receipt@example.org>
In-Reply-To: ${messageId}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=disposition-notification;
	boundary="_000_DB7PR0receipt_"

--_000_DB7PR0receipt_
Content-Type: text/plain; charset="iso-8859-1"
Content-Transfer-Encoding: quoted-printable

Your message was read.

--_000_DB7PR0receipt_
Content-Type: message/disposition-notification

Final-recipient: RFC822; ${from}
Disposition: automatic-action/MDN-sent-automatically; displayed
X-MSExch-Correlation-Key: DIPuyWL+QUisYcpnAhOKuQ==
Original-Message-ID: ${messageId}
X-Display-Name: Bob


--_000_DB7PR0receipt_--
`),

  appleMail: ({ from, to, messageId }: ReceiptWords = standard) =>
    crlf(`
From: Bob <${from}>
Content-Type: multipart/report;
	boundary=Apple-Mail-5B0C7C1A;
	report-type=disposition-notification
Mime-Version: 1.0 (Mac OS X Mail 16.0)
Subject: Read: The printer is on fire
Message-Id: <5B0C7C1A-receipt@example.org>
Date: Mon, 2 Mar 2026 10:00:00 +0100
To: ${to}


--Apple-Mail-5B0C7C1A
Content-Transfer-Encoding: 7bit
Content-Type: text/plain;
	charset=us-ascii

Your message was displayed.
--Apple-Mail-5B0C7C1A
Content-Type: message/disposition-notification
Content-Transfer-Encoding: quoted-printable

Reporting-UA: example.org; Mail (16.0)
Original-Recipient: rfc822;support@example.org
Final-Recipient: rfc822;${from.replace('@', '=40')}
Original-Message-Id: ${messageId.replace('-', '=2D')}
Disposition: manual-action/mdn-sent-automatically; displayed

--Apple-Mail-5B0C7C1A--
`),

  gmail: ({ from, to, messageId }: ReceiptWords = standard) =>
    crlf(`
MIME-Version: 1.0
Date: Mon, 2 Mar 2026 01:00:00 -0800
Message-ID: <CAreceipt@mail.example.org>
Subject: Read: The printer is on fire
From: Bob <${from}>
To: ${to}
Content-Type: multipart/report; boundary="000000000000f1a2c805f0receipt"; report-type=disposition-notification

--000000000000f1a2c805f0receipt
Content-Type: text/plain; charset="UTF-8"

Your message was read on March 2, 2026 10:00:00 AM CET (GMT+01:00).
--000000000000f1a2c805f0receipt
Content-Type: message/disposition-notification

Reporting-UA: mail.example.org; Gmail
Final-Recipient: rfc822;${from}
Original-Message-ID: ${messageId}
Disposition: manual-action/MDN-sent-manually; displayed

--000000000000f1a2c805f0receipt--
`),
} as const;

/** A receipt with this disposition, as RFC 2298 or anybody may write it. */
export const receiptSaying = (disposition: string): Buffer =>
  Buffer.from(
    receipts
      .gmail()
      .toString('latin1')
      .replace(/^Disposition: .*$/m, `Disposition: ${disposition}`),
    'latin1',
  );

export interface DsnWords {
  readonly recipient: string;
  readonly action: string;
  readonly status: string;
  readonly envid?: string;
  readonly orcpt?: string;
}

/** As Postfix 3.7 writes it. */
export const postfixDsn = ({ recipient, action, status, envid, orcpt }: DsnWords): Buffer =>
  crlf(`
Date: Mon,  2 Mar 2026 10:00:01 +0100 (CET)
From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: ann@example.net
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
	boundary="4F2D41.1772442001/mx.example.org"
Message-Id: <20260302090001.5A@mx.example.org>

This is a MIME-encapsulated message.

--4F2D41.1772442001/mx.example.org
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.org.

--4F2D41.1772442001/mx.example.org
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
${envid === undefined ? '' : `Original-Envelope-Id: ${envid}\n`}X-Postfix-Queue-ID: 4F2D41
X-Postfix-Sender: rfc822; ann@example.net
Arrival-Date: Mon,  2 Mar 2026 10:00:00 +0100 (CET)

Final-Recipient: rfc822; ${recipient}
${orcpt === undefined ? '' : `Original-Recipient: rfc822;${orcpt}\n`}Action: ${action}
Status: ${status}
Remote-MTA: dns; imap.example.org
Diagnostic-Code: smtp; 550 5.1.1 <${recipient}>:
    Recipient address rejected: User unknown

--4F2D41.1772442001/mx.example.org
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

Return-Path: <ann@example.net>
Message-ID: <fire-1@example.net>
Subject: The printer is on fire

--4F2D41.1772442001/mx.example.org--
`);
