/* What libmilter itself costs: null.c SOCKET answered|silent|rewrites|same, compiled with -lmilter -lpthread.
 *   answered   each of its callbacks says CONTINUE, and each step of the conversation is a round trip
 *   silent     it negotiates that nothing is answered before the end of the message (SMFIP_NR_*)
 *   rewrites   silent, and at the end what a router does: one recipient added, one header inserted, one recipient removed
 *   same       rewrites, and negotiates to the bit what Pointsman does where no rule needs the body: no body either
 */
#include <libmilter/mfapi.h>
#include <stdlib.h>
#include <string.h>

static int silent, rewrites, same;

static sfsistat go_on(void) { return silent ? SMFIS_NOREPLY : SMFIS_CONTINUE; }
static sfsistat on_connect(SMFICTX *c, char *name, _SOCK_ADDR *from) { return go_on(); }
static sfsistat on_helo(SMFICTX *c, char *name) { return go_on(); }
static sfsistat on_mail(SMFICTX *c, char **words) { return go_on(); }
static sfsistat on_rcpt(SMFICTX *c, char **words) {
  if (rewrites && smfi_getpriv(c) == NULL) smfi_setpriv(c, strdup(words[0]));
  return go_on();
}
static sfsistat on_header(SMFICTX *c, char *name, char *value) { return go_on(); }
static sfsistat on_end_of_headers(SMFICTX *c) { return go_on(); }
static sfsistat on_body(SMFICTX *c, unsigned char *octets, size_t length) { return go_on(); }
static void forget(SMFICTX *c) {
  free(smfi_getpriv(c));
  smfi_setpriv(c, NULL);
}
static sfsistat on_end(SMFICTX *c) {
  char *group = rewrites ? smfi_getpriv(c) : NULL;
  if (group != NULL) {
    smfi_addrcpt_par(c, "<someone@sink.test>", "ORCPT=rfc822;team@sink.test");
    smfi_insheader(c, 0, "Delivered-To", "team@sink.test");
    if (same) smfi_insheader(c, 0, "X-Trace", "v1 0000000000000000 0000000000000000000000000000000000000000000");
    smfi_delrcpt(c, group);
    forget(c);
  }
  return SMFIS_CONTINUE;
}
static sfsistat on_abort(SMFICTX *c) {
  forget(c);
  return SMFIS_CONTINUE;
}
static sfsistat on_negotiate(SMFICTX *c, unsigned long actions, unsigned long offered, unsigned long f2, unsigned long f3,
    unsigned long *wanted, unsigned long *steps, unsigned long *p2, unsigned long *p3) {
  *wanted = SMFIF_ADDHDRS | SMFIF_ADDRCPT | SMFIF_ADDRCPT_PAR | SMFIF_DELRCPT;
  *steps = offered & (SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_DATA | SMFIP_NR_HDR |
    SMFIP_NR_EOH | SMFIP_NR_BODY | SMFIP_NODATA | SMFIP_NOUNKNOWN);
  if (same) *steps |= offered & (SMFIP_NOBODY | SMFIP_NOEOH | SMFIP_NR_UNKN | SMFIP_HDR_LEADSPC);
  *p2 = *p3 = 0;
  return SMFIS_CONTINUE;
}

int main(int count, char **words) {
  struct smfiDesc milter = { "null", SMFI_VERSION, SMFIF_ADDHDRS | SMFIF_ADDRCPT | SMFIF_ADDRCPT_PAR | SMFIF_DELRCPT,
    on_connect, on_helo, on_mail, on_rcpt, on_header, on_end_of_headers, on_body, on_end, on_abort, 0, 0, 0, 0 };
  if (count != 3) return 2;
  same = !strcmp(words[2], "same");
  rewrites = same || !strcmp(words[2], "rewrites");
  silent = rewrites || !strcmp(words[2], "silent");
  if (silent) milter.xxfi_negotiate = on_negotiate;
  smfi_setconn(words[1]);
  smfi_setbacklog(1024);
  smfi_register(milter);
  return smfi_main();
}
