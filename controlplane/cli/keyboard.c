// SPDX-License-Identifier: BSD-3-Clause
#include "cli/keyboard.h"

#include "cli/cli.h"

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#define SCREEN_OWN  "\033[?1049h\033[?25l"
#define SCREEN_BACK "\033[?25h\033[?1049l"

static struct termios before;
static bool raw, own_screen;
static volatile sig_atomic_t to_end, to_stop, resized;

static void on_signal(int sig)
{
	if (sig == SIGWINCH)
		resized = 1;
	else if (sig == SIGTSTP)
		to_stop = 1;
	else
		to_end = 1;
}

static void take(void)
{
	struct termios t;
	if (xy_cli_terminal(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0) {
		t = before;
		t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		t.c_cc[VMIN] = 1;
		t.c_cc[VTIME] = 0;
		raw = tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0;
	}
	own_screen = xy_cli_terminal(STDOUT_FILENO);
	fputs(own_screen ? SCREEN_OWN : "", stdout);
	fflush(stdout);
}

static void give_back(void)
{
	if (own_screen)
		fputs(SCREEN_BACK, stdout);
	fflush(stdout);
	if (raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	raw = own_screen = false;
}

void xy_keyboard_begin(void)
{
	static const int all[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP};
	struct sigaction act = {.sa_handler = on_signal};
	if (!xy_cli_terminal(STDOUT_FILENO))
		return;
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		sigaction(all[i], &act, NULL);
	atexit(give_back); // where memory is short
	take();
}

void xy_keyboard_end(void)
{
	give_back();
}

// ^Z: as it was, until it goes on.
static void stop(void)
{
	to_stop = 0;
	give_back();
	raise(SIGSTOP);
	take();
}

static int read_key(void)
{
	unsigned char c;
	ssize_t n = read(STDIN_FILENO, &c, 1);
	return n == 1 ? c : n < 0 && errno == EINTR ? XY_KEYBOARD_SIZE : XY_KEYBOARD_END;
}

int xy_keyboard_wait(double seconds)
{
	sigset_t all, was;
	struct pollfd p = {.fd = raw ? STDIN_FILENO : -1, .events = POLLIN};
	seconds = seconds > 0 ? seconds : 0;
	struct timespec t = {.tv_sec = (time_t)seconds,
			     .tv_nsec = (long)((seconds - floor(seconds)) * 1e9)};
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &was); // a signal between the look and the wait is not lost
	int n = to_end || to_stop || resized ? 0 : ppoll(&p, 1, &t, &was);
	sigprocmask(SIG_SETMASK, &was, NULL);
	if (to_end)
		return XY_KEYBOARD_END;
	if (to_stop) {
		stop();
		return XY_KEYBOARD_SIZE;
	}
	if (resized) {
		resized = 0;
		return XY_KEYBOARD_SIZE;
	}
	return n > 0 ? read_key() : n < 0 ? XY_KEYBOARD_SIZE : XY_KEYBOARD_TIME;
}
