// SPDX-License-Identifier: BSD-3-Clause
// What is longer than the terminal goes through a pager: $PAGER, else less, which ends by itself
// where it all fits on the screen. Never on a pipe.
#include "cli/cli.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t pager;
static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	interrupted = sig;
}

static bool is_there(const char *program)
{
	const char *at = getenv("PATH");
	char path[4096];
	while (at && *at) {
		size_t n = strcspn(at, ":");
		snprintf(path, sizeof(path), "%.*s/%s", (int)n, at, program);
		if (n && access(path, X_OK) == 0)
			return true;
		at += n + (at[n] == ':');
	}
	return false;
}

static void run_pager(const char *command, const int *fd)
{
	dup2(fd[0], STDIN_FILENO);
	close(fd[0]);
	close(fd[1]);
	setenv("LESS", "FRSX", 0);
	if (command)
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	else
		execlp("less", "less", "-FRSX", (char *)NULL);
	_exit(127);
}

void xy_cli_pager_begin(void)
{
	const char *command = getenv("PAGER");
	int fd[2];
	if (pager || !xy_cli_terminal(STDOUT_FILENO) || !xy_cli_terminal(STDIN_FILENO))
		return;
	if (command && (!*command || strcmp(command, "cat") == 0))
		return;
	if ((!command && !is_there("less")) || pipe(fd))
		return;
	fflush(stdout);
	pager = fork();
	if (pager == 0)
		run_pager(command, fd);
	close(fd[0]);
	if (pager > 0)
		dup2(fd[1], STDOUT_FILENO);
	close(fd[1]);
	if (pager < 0) {
		pager = 0;
		return;
	}
	signal(SIGPIPE, SIG_IGN); // who has seen enough ends the pager
	struct sigaction act = {.sa_handler = on_interrupt};
	sigaction(SIGINT, &act, NULL); // the pager takes it, and is waited for
	sigaction(SIGQUIT, &act, NULL);
}

bool xy_cli_pager_gone(void)
{
	return ferror(stdout) || (pager && interrupted);
}

int xy_cli_pager_end(int code)
{
	int status = 0;
	if (!pager)
		return code;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	bool enough = fflush(stdout) || ferror(stdout) || interrupted;
	dup2(null, STDOUT_FILENO); // the pager has all; what it did not take goes nowhere
	close(null);
	clearerr(stdout);
	while (waitpid(pager, &status, 0) < 0 && errno == EINTR)
		;
	pager = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) >= 126)
		return xy_cli_fail("PAGER=%s cannot be run; PAGER=cat goes without",
				   getenv("PAGER") ? getenv("PAGER") : "less");
	return enough ? CLI_OK : code;
}
