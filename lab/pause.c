/* Holds a pod's namespaces open: sleeps, collects orphans that fall to it, ends when asked. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void leave(int number) {
    (void)number;
    _exit(0);
}

static void collect(int number) {
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
}

static void on(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    if (sigaction(number, &action, NULL) != 0) {
        exit(1);
    }
}

int main(void) {
    /* process 1 has no default handlers: without these SIGTERM would be ignored */
    on(SIGTERM, leave, 0);
    on(SIGINT, leave, 0);
    on(SIGCHLD, collect, SA_NOCLDSTOP);
    for (;;) {
        pause();
    }
}
