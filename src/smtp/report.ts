// Composes a delivery status notification (RFC 3464, multipart/report of RFC 6522) from what src/mail/dsn.ts says.
// nodemailer builds the frame; the status and the returned message go in as they are. The same data always give the
// same octets. Whoever sends it uses the null reverse-path (RFC 3464 §2).
import MimeNode from 'nodemailer/lib/mime-node';
import { deliveryStatus, needsSmtputf8, type ReportData, returnedMessage } from '../mail/dsn.ts';
import { formatDate } from '../mail/received.ts';
import { reportSubject, reportText } from '../mail/report-text.ts';

export async function composeReport(data: ReportData): Promise<Uint8Array> {
  const utf8 = needsSmtputf8(data);
  const returned = returnedMessage(data);
  const root = new MimeNode('multipart/report; report-type=delivery-status', {
    baseBoundary: data.queueId,
    boundaryPrefix: '=_Pointsman',
    newline: 'win',
    hostname: data.hostname,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  root.setHeader('From', `Mail Delivery System <mailer-daemon@${data.hostname}>`);
  root.setHeader('Subject', reportSubject(data));
  root.setHeader('Date', formatDate(data.now));
  root.setHeader('Message-ID', `<${data.queueId}.report@${data.hostname}>`);
  const { messageId } = data.original;
  if (messageId !== undefined && /^<[\x21-\x7e]{1,900}>$/.test(messageId)) {
    root.setHeader('In-Reply-To', messageId);
    root.setHeader('References', messageId);
  }
  // RFC 3834 §5.1.
  root.setHeader('Auto-Submitted', 'auto-replied');
  root
    .createChild('text/plain; charset=utf-8')
    .setHeader('Content-Description', 'Notification')
    .setContent(reportText(data));
  root
    .createChild(false)
    .setRaw(
      part(
        utf8 ? 'message/global-delivery-status' : 'message/delivery-status',
        'Delivery report',
        Buffer.from(deliveryStatus(data)),
      ),
    );
  root.createChild(false).setRaw(part(returned.type, 'Undelivered message', returned.content));
  // Ours, not nodemailer's: it takes quoted local parts apart, and A-labels and U-labels are not the same octets.
  return Buffer.concat([Buffer.from(`To: <${data.to}>\r\n`), await root.build()]);
}

/** A body part whose content is not encoded: RFC 3464 §2.1 and RFC 2046 §5.2.1 allow 7bit and 8bit only. */
function part(type: string, description: string, content: Uint8Array): Buffer {
  const encoding = content.some((octet) => octet > 0x7f) ? '8bit' : '7bit';
  const lines = [
    `Content-Type: ${type}`,
    `Content-Description: ${description}`,
    `Content-Transfer-Encoding: ${encoding}`,
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), content]);
}
