/* A PAM module for the differential test: answers what the test has told it to. Its argument
 * "i=N" names the place in the table of codes that comes along with the conversation. */
#include <stdlib.h>
#include <string.h>

#include <security/pam_modules.h>

/* Codes by index; what has no index answers the last. */
#define STANDIN_CODES 64

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    const void *item = NULL;
    long index = STANDIN_CODES - 1;
    (void)flags;
    if (pam_get_item(pamh, PAM_CONV, &item) != PAM_SUCCESS || item == NULL) {
        return PAM_SYSTEM_ERR;
    }
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "i=", 2) == 0) {
            index = strtol(argv[i] + 2, NULL, 10);
        }
    }
    const struct pam_conv *conv = item;
    const int *codes = conv->appdata_ptr;
    return index >= 0 && index < STANDIN_CODES ? codes[index] : PAM_SYSTEM_ERR;
}

int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)pamh;
    (void)flags;
    (void)argc;
    (void)argv;
    return PAM_SUCCESS;
}
